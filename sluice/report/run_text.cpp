#include "sluice/report/run_text.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <nlohmann/json.hpp>

#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::report {

namespace {

Duration duration_of_ms(double ms) { return Duration{std::llround(ms * 1e9)}; }
std::string ms_text(double ms) { return ms > 0 ? to_text(duration_of_ms(ms)) : ""; }
std::string ratio_text(double a, double b) { return a > 0 && b > 0 ? std::format("{:.2f}", a / b) : ""; }
std::string signed_percent(double share) { return std::format("{:+.1f}%", share * 100); }
double ms_of(Duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

double error_of(const RunView& run) { return run.predicted_per_s > 0 ? run.throughput_per_s / run.predicted_per_s - 1 : 0; }

std::string stage_table(const RunView& run) {
    Table table{{{"stage"},
                 {"replicas"},
                 {"host", Align::left, 24},
                 {"work"},
                 {"in"},
                 {"out"},
                 {"spill"},
                 {"predicted"},
                 {"alone"},
                 {"CPU"},
                 {"alone/work"},
                 {"in pipeline"},
                 {"CPU"},
                 {"pipeline/alone"},
                 {"waits in"},
                 {"waits out"}},
                {}};
    bool one_host = true;
    for (const RunStage& stage : run.stages)
        one_host = one_host && std::ranges::all_of(stage.hosts, [&](const auto& host) { return host == run.stages[0].hosts[0]; });
    for (std::size_t s = 0; s < run.stages.size(); ++s) {
        const RunStage& stage = run.stages[s];
        std::string hosts;
        for (const std::string& host : stage.hosts) hosts += (hosts.empty() ? "" : " ") + host;
        const double work = ms_of(stage.predicted.work) + ms_of(stage.predicted.spill);
        table.rows.push_back({std::to_string(s), stage.replicas > 1 ? std::to_string(stage.replicas) : "", one_host ? "" : printable(hosts),
                              to_text(stage.predicted.work), or_empty(stage.predicted.in), or_empty(stage.predicted.out),
                              or_empty(stage.predicted.spill), to_text(stage.predicted_time), ms_text(stage.alone_ms),
                              ms_text(stage.alone_cpu_ms), ratio_text(stage.alone_ms, work), ms_text(stage.forward_ms),
                              ms_text(stage.forward_cpu_ms), ratio_text(stage.forward_ms, stage.alone_ms), percent(stage.waited_receive),
                              percent(stage.waited_send)});
    }
    return table_text(table);
}

std::string rival_table(const RunView& run) {
    Table table{{{"what was run", Align::left}, {"throughput"}, {"latency"}, {"of the pipeline's"}, {"", Align::left}}, {}};
    table.rows.push_back({std::format("pipeline: {}, {} each", counted(static_cast<std::size_t>(run.ranks - 1), "rank"),
                                      counted(static_cast<std::size_t>(run.threads), "thread")),
                          rate_text(run.throughput_per_s) + "/s", ms_text(run.latency_mean_ms), "1.00",
                          run.busy.empty() ? "" : "on busy cores"});
    for (const RunRival& rival : run.rivals)
        table.rows.push_back({std::format("{}: {}", rival.name, rival.what), rate_text(rival.throughput_per_s) + "/s",
                              ms_text(rival.latency_ms), ratio_text(rival.throughput_per_s, run.throughput_per_s),
                              rival.busy ? "on busy cores" : ""});
    std::string text = table_text(table);
    const auto best = std::ranges::max_element(run.rivals, {}, &RunRival::throughput_per_s);
    if (best->throughput_per_s > run.throughput_per_s)
        text += std::format(
            "\nThe pipeline loses here: {} ({}) gives {:.2f} times its throughput. Pipe where the whole model does not fit one device.\n",
            best->name, best->what, best->throughput_per_s / run.throughput_per_s);
    else
        text += std::format("\nThe pipeline wins here: {:.2f} times the throughput of {} ({}), the best of the others.\n",
                            run.throughput_per_s / best->throughput_per_s, best->name, best->what);
    if (!run.busy.empty() || std::ranges::any_of(run.rivals, &RunRival::busy))
        text += "The cores were busy: measure again before choosing.\n";
    return text;
}

std::string check_text(const RunCheck& check) {
    const std::string same =
        check.bitwise == check.values
            ? "the same bits in each"
            : std::format("{} the same bits, largest difference {:.2g} of its tensor's largest value ({}); at most {:.2g} passes",
                          percent(static_cast<double>(check.bitwise) / static_cast<double>(check.values)), check.largest_error,
                          printable(check.worst), check.tolerance);
    return std::format("{}: {} values of {} inputs, {}", check.holds() ? "equal to the unsplit model" : "NOT equal to the unsplit model",
                       grouped(static_cast<std::size_t>(check.values)), grouped(static_cast<std::size_t>(check.inputs)), same);
}

}  // namespace

double slowest_alone_ms(const RunView& run) {
    double slowest = 0;
    for (const RunStage& stage : run.stages) {
        if (stage.alone_ms <= 0) return 0;
        slowest = std::max(slowest, stage.alone_ms / static_cast<double>(stage.replicas));
    }
    return slowest;
}

double efficiency_of(const RunView& run) { return run.throughput_per_s * slowest_alone_ms(run) / 1e3; }

std::vector<std::string> busy_stages(const std::vector<RunStage>& stages) {
    std::vector<std::string> reasons;
    for (std::size_t s = 0; s < stages.size(); ++s) {
        const RunStage& stage = stages[s];
        if (stage.forward_ms <= 0 || stage.alone_ms <= 0) continue;
        // With several threads CPU exceeds wall; what the stage had by itself is then the measure.
        const double alone = stage.alone_cpu_ms / stage.alone_ms, now = stage.forward_cpu_ms / stage.forward_ms;
        if (alone < kFreeCores)
            reasons.push_back(std::format("stage {} had {:.2f} of a core by itself", s, alone));
        else if (now < kFreeCores * std::max(1.0, alone))
            reasons.push_back(std::format("stage {} had {:.2f} of a core in the pipeline, {:.2f} by itself", s, now, alone));
    }
    return reasons;
}

std::string run_text(const RunView& run) {
    const bool free = run.busy.empty();
    std::vector<std::pair<std::string, std::string>> facts{
        {free ? "throughput" : "observed",
         std::format("{}/s over {} inputs in {:.3g} s{}", rate_text(run.throughput_per_s), grouped(static_cast<std::size_t>(run.inputs)),
                     run.seconds, free ? ", measured" : " ON BUSY CORES: not a measurement of the plan")}};
    for (const std::string& reason : run.busy) facts.emplace_back("", reason);
    facts.emplace_back("predicted", run.predicted_per_s > 0 ? std::format("{}/s; {} is {}", rate_text(run.predicted_per_s),
                                                                          free ? "measured" : "observed", signed_percent(error_of(run)))
                                                            : "");
    const double slowest = slowest_alone_ms(run);
    facts.emplace_back("efficiency",
                       slowest <= 0 ? ""
                       : free ? std::format("{:.3f}: throughput x {}, the slowest stage's own time", efficiency_of(run), ms_text(slowest))
                              : "unknown: on busy cores a stage alone and a stage in the pipeline cannot be compared");
    facts.emplace_back("latency", std::format("{} mean, {} to {} (predicted without queues {})", ms_text(run.latency_mean_ms),
                                              ms_text(run.latency_min_ms), ms_text(run.latency_max_ms), to_text(run.predicted_latency)));
    facts.emplace_back("first output", std::format("{:.2f} s after the start of the ranks", run.first_output));
    facts.emplace_back("ran on", std::format("{}, {} a stage, {}", counted(static_cast<std::size_t>(run.ranks), "rank"),
                                             counted(static_cast<std::size_t>(run.threads), "thread"), printable(run.library)));
    if (run.check) facts.emplace_back("check", check_text(*run.check));
    std::string text =
        std::format("{} as planned on {}: {}\n\n", printable(run.model), printable(run.platform), counted(run.stages.size(), "stage")) +
        stage_table(run) + "\n";
    text += facts_text(facts);
    if (!run.rivals.empty()) text += "\n" + rival_table(run);
    return text;
}

nlohmann::ordered_json run_json(const RunView& run) {
    using nlohmann::ordered_json;
    const auto ps = [](double ms) { return duration_of_ms(ms).count(); };
    auto stages = ordered_json::array();
    for (const RunStage& stage : run.stages)
        stages.push_back({{"replicas", stage.replicas},
                          {"hosts", stage.hosts},
                          {"predicted",
                           {{"work_ps", stage.predicted.work.count()},
                            {"in_ps", stage.predicted.in.count()},
                            {"out_ps", stage.predicted.out.count()},
                            {"spill_ps", stage.predicted.spill.count()},
                            {"time_ps", stage.predicted_time.count()}}},
                          {"alone_ps", ps(stage.alone_ms)},
                          {"alone_cpu_ps", ps(stage.alone_cpu_ms)},
                          {"forward_ps", ps(stage.forward_ms)},
                          {"forward_cpu_ps", ps(stage.forward_cpu_ms)},
                          {"waits_in", stage.waited_receive},
                          {"waits_out", stage.waited_send}});
    ordered_json json{{"throughput_per_s", run.throughput_per_s},
                      {"latency_ps", ps(run.latency_mean_ms)},
                      {"predicted_throughput_per_s", run.predicted_per_s},
                      {"error", error_of(run)},
                      {"measured", run.busy.empty()},
                      {"busy", run.busy},
                      {"efficiency", slowest_alone_ms(run) > 0 ? ordered_json(efficiency_of(run)) : ordered_json(nullptr)},
                      {"inputs", run.inputs},
                      {"seconds", run.seconds},
                      {"first_output_seconds", run.first_output},
                      {"ranks", run.ranks},
                      {"threads", run.threads},
                      {"library", run.library},
                      {"stages", std::move(stages)}};
    if (run.check)
        json["check"] = {{"holds", run.check->holds()},
                         {"inputs", run.check->inputs},
                         {"values", run.check->values},
                         {"bitwise", run.check->bitwise},
                         {"largest_error", run.check->largest_error},
                         {"tolerance", run.check->tolerance},
                         {"worst", run.check->worst}};
    if (!run.rivals.empty()) {
        auto rivals = ordered_json::object();
        for (const RunRival& rival : run.rivals)
            rivals[rival.name] = {{"throughput_per_s", rival.throughput_per_s},
                                  {"latency_ps", ps(rival.latency_ms)},
                                  {"ratio_to_pipeline", rival.throughput_per_s / run.throughput_per_s},
                                  {"measured", !rival.busy}};
        json["against"] = std::move(rivals);
    }
    return json;
}

}  // namespace sluice::report
