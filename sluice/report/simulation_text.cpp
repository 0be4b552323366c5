#include "sluice/report/simulation_text.hpp"

#include <algorithm>
#include <format>
#include <nlohmann/json.hpp>

#include "sluice/report/json_values.hpp"
#include "sluice/report/link_use.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::report {

namespace {

using nlohmann::ordered_json;
using simulate::InferenceResult;
using simulate::LinkSharing;

std::string devices_of(const program::Stage& stage) {
    const std::int64_t first = stage.first_rank - 1;
    return stage.replicas == 1 ? std::to_string(first) : std::format("{}-{}", first, first + stage.replicas - 1);
}

std::string queue_text(double mean, std::int64_t longest) {
    return longest == 0 ? std::string() : std::format("{:.2f} ({})", mean, longest);
}

std::string_view sharing_text(LinkSharing sharing) {
    return sharing == LinkSharing::free ? "free" : sharing == LinkSharing::fifo ? "fifo" : "fair";
}

Table stage_table(const SimulationView& view) {
    Table table{{{"stage"},
                 {"device"},
                 {"work"},
                 {"in"},
                 {"out"},
                 {"spill"},
                 {"time"},
                 {"busy"},
                 {"", Align::left},
                 {"queue (longest)"},
                 {"memory"},
                 {"reserved"}},
                {}};
    for (std::size_t s = 0; s < view.result->stages.size(); ++s) {
        const simulate::StageUse& use = view.result->stages[s];
        const cost::StageTerms& terms = view.plan->stages[s].predicted;
        table.rows.push_back({std::to_string(s), devices_of(view.program->stages[s]), sluice::to_text(terms.work), or_empty(terms.in),
                              or_empty(terms.out), or_empty(terms.spill), sluice::to_text(use.busy), percent(use.utilisation),
                              bar(use.utilisation, kBarWidth), queue_text(use.mean_queue, use.longest_queue),
                              sluice::to_text(use.peak_memory), sluice::to_text(use.reserved_memory)});
    }
    return table;
}

/// How far the simulated rate is from the predicted one.
std::optional<double> error_of(const InferenceResult& result) {
    const auto predicted = predicted_throughput(result);
    if (!predicted || result.throughput_per_s <= 0) return std::nullopt;
    return result.throughput_per_s / *predicted - 1;
}

}  // namespace

std::optional<double> predicted_throughput(const InferenceResult& result) {
    if (result.bottleneck_work <= Duration{0}) return std::nullopt;
    return static_cast<double>(result.bottleneck_replicas) * 1e12 / static_cast<double>(result.bottleneck_work.count());
}

std::string simulation_text(const SimulationView& view) {
    const InferenceResult& result = *view.result;
    std::vector<std::pair<std::string, std::string>> facts;
    facts.emplace_back("throughput", result.throughput_per_s > 0 ? std::format("{} inferences/s {}", rate_text(result.throughput_per_s),
                                                                               result.steady ? "in the steady part"
                                                                               : result.outputs < view.inputs
                                                                                   ? "over the second half of what came out"
                                                                                   : "over so few inputs that filling and draining count")
                                                                 : "no time passes");
    if (const auto predicted = predicted_throughput(result)) {
        const auto error = error_of(result);
        const bool same = result.steady_time.count() * static_cast<long double>(result.bottleneck_replicas) ==
                          result.steady_inputs * static_cast<long double>(result.bottleneck_work.count());
        facts.emplace_back("predicted",
                           std::format("{} inferences/s, by stage {}{}", rate_text(*predicted), result.bottleneck.index(),
                                       !error ? ""
                                       : same ? "; simulated the same"
                                              : std::format("; simulated {} {}", percent(std::abs(*error)), *error < 0 ? "less" : "more")));
    }
    facts.emplace_back("latency", std::format("{} the first, {} on average, {} at most", sluice::to_text(result.first_latency),
                                              sluice::to_text(result.mean_latency), sluice::to_text(result.largest_latency)));
    facts.emplace_back(
        "in all", std::format("{} for {}{}", sluice::to_text(result.makespan), counted(static_cast<std::size_t>(result.outputs), "input"),
                              result.outputs < view.inputs ? std::format(" of {}", view.inputs) : ""));
    facts.emplace_back("events", grouped(static_cast<std::size_t>(result.events)));
    std::string text = std::format("{} on {}: {}, {} topology, {} links, {} cost\n\n", printable(view.plan->model.name),
                                   printable(view.plan->platform.name), counted(result.stages.size(), "stage"),
                                   platform::to_text(view.plan->platform.topology), sharing_text(view.sharing),
                                   platform::to_text(view.plan->platform.model)) +
                       table_text(stage_table(view)) + "\n";
    if (!result.links.empty()) text += table_text(link_table(result.links, view.busiest_links)) + "\n";
    return text + facts_text(facts);
}

ordered_json simulation_json(const SimulationView& view) {
    const InferenceResult& result = *view.result;
    ordered_json stages = ordered_json::array();
    for (std::size_t s = 0; s < result.stages.size(); ++s) {
        const simulate::StageUse& use = result.stages[s];
        stages.push_back({{"first_device", view.program->stages[s].first_rank - 1},
                          {"replicas", view.program->stages[s].replicas},
                          {"busy_ps", use.busy.count()},
                          {"utilisation", use.utilisation},
                          {"mean_queue", use.mean_queue},
                          {"longest_queue", use.longest_queue},
                          {"peak_memory_bytes", use.peak_memory.count},
                          {"reserved_memory_bytes", use.reserved_memory.count}});
    }
    return {{"throughput_per_s", result.throughput_per_s > 0 ? ordered_json(result.throughput_per_s) : ordered_json(nullptr)},
            {"latency_ps", result.mean_latency.count()},
            {"predicted_throughput_per_s", or_null(predicted_throughput(result))},
            {"error", or_null(error_of(result))},
            {"steady", {{"reached", result.steady}, {"time_ps", result.steady_time.count()}, {"inputs", result.steady_inputs}}},
            {"bottleneck",
             {{"stage", result.bottleneck.index()}, {"time_ps", result.bottleneck_work.count()}, {"replicas", result.bottleneck_replicas}}},
            {"first_latency_ps", result.first_latency.count()},
            {"largest_latency_ps", result.largest_latency.count()},
            {"makespan_ps", result.makespan.count()},
            {"inputs", view.inputs},
            {"outputs", result.outputs},
            {"sharing", sharing_text(view.sharing)},
            {"topology", platform::to_text(view.plan->platform.topology)},
            {"events", result.events},
            {"stages", std::move(stages)},
            {"links", links_json(result.links)}};
}

}  // namespace sluice::report
