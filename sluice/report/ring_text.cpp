#include "sluice/report/ring_text.hpp"

#include <algorithm>
#include <format>
#include <nlohmann/json.hpp>

#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::report {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t kBusiestLinks = 5;

double seconds_of(Duration time) { return std::chrono::duration<double>(time).count(); }

double error_of(const plan::Plan& plan, const mcm::JudgeDetail& detail) {
    return seconds_of(plan.predicted.bottleneck) / seconds_of(detail.verdict.period) - 1;
}

}  // namespace

std::string ring_text(const plan::Plan& plan, const mcm::JudgeDetail& detail) {
    Table chips{{{"chip"},
                 {"operators"},
                 {"kernels"},
                 {"planned"},
                 {"compute"},
                 {"in"},
                 {"out"},
                 {"streaming"},
                 {"parameters"},
                 {"buffers"},
                 {"live"},
                 {"holes"},
                 {"SRAM"},
                 {"busy"},
                 {"", Align::left}},
                {}};
    const auto or_empty = [](auto value, bool there) { return there ? to_text(value) : std::string(); };
    for (std::size_t c = 0; c < plan.stages.size(); ++c) {
        const mcm::ChipUse& use = detail.chips[c];
        chips.rows.push_back({std::to_string(c), grouped(use.operators), grouped(use.kernels), to_text(use.planned), to_text(use.compute),
                              or_empty(use.in, use.in.count() > 0), or_empty(use.out, use.out.count() > 0),
                              or_empty(use.streaming, use.streaming.count() > 0), to_text(use.memory.parameters),
                              to_text(use.memory.buffers), to_text(use.memory.live),
                              or_empty(use.memory.fragmented, use.memory.fragmented.count > 0), to_text(use.memory.peak()),
                              percent(use.utilisation), bar(use.utilisation, kBarWidth)});
    }
    std::vector<const mcm::RingLinkUse*> busiest;
    for (const mcm::RingLinkUse& link : detail.links)
        if (link.tensors > 0) busiest.push_back(&link);
    std::ranges::stable_sort(busiest, std::ranges::greater{}, &mcm::RingLinkUse::utilisation);
    if (busiest.size() > kBusiestLinks) busiest.resize(kBusiestLinks);
    Table links{{{"busiest links", Align::left}, {"tensors"}, {"bytes"}, {"time"}, {"longest queue"}, {"busy"}}, {}};
    for (const mcm::RingLinkUse* link : busiest)
        links.rows.push_back({std::format("{} -> {}", link->from, link->from + 1), grouped(static_cast<std::size_t>(link->tensors)),
                              to_text(link->bytes), to_text(link->busy), grouped(static_cast<std::size_t>(link->longest_queue)),
                              percent(link->utilisation)});
    const double error = error_of(plan, detail);
    const std::vector<std::pair<std::string, std::string>> facts{
        {"throughput", std::format("{} inferences/s, one every {}{}", rate_text(1 / seconds_of(detail.verdict.period)),
                                   to_text(detail.verdict.period), detail.repeats ? ", for ever: the ring repeats itself" : "")},
        {"predicted", std::format("{} inferences/s by the planners; simulated {} less",
                                  rate_text(1 / seconds_of(plan.predicted.bottleneck)), percent(-error))},
        {"latency", to_text(detail.verdict.latency)},
        {"simulated", std::format("{}, {} events", counted(static_cast<std::size_t>(detail.inputs), "input"),
                                  grouped(static_cast<std::size_t>(detail.events)))}};
    return std::format("{} on {}, {}\n\n", printable(plan.model.name), printable(plan.platform.name), counted(plan.stages.size(), "chip")) +
           table_text(chips) + "\n" + (busiest.empty() ? "" : table_text(links) + "\n") + facts_text(facts);
}

ordered_json ring_json(const plan::Plan& plan, const mcm::JudgeDetail& detail) {
    ordered_json chips = ordered_json::array(), links = ordered_json::array();
    for (std::size_t c = 0; c < plan.stages.size(); ++c) {
        const mcm::ChipUse& use = detail.chips[c];
        chips.push_back({{"operators", use.operators},
                         {"kernels", use.kernels},
                         {"planned_ps", use.planned.count()},
                         {"compute_ps", use.compute.count()},
                         {"in_ps", use.in.count()},
                         {"out_ps", use.out.count()},
                         {"streaming_ps", use.streaming.count()},
                         {"utilisation", use.utilisation},
                         {"parameter_bytes", use.memory.parameters.count},
                         {"buffer_bytes", use.memory.buffers.count},
                         {"live_bytes", use.memory.live.count},
                         {"fragmented_bytes", use.memory.fragmented.count},
                         {"peak_bytes", use.memory.peak().count}});
    }
    for (const mcm::RingLinkUse& link : detail.links)
        links.push_back({{"from", link.from},
                         {"tensors", link.tensors},
                         {"bytes", link.bytes.count},
                         {"busy_ps", link.busy.count()},
                         {"longest_queue", link.longest_queue},
                         {"utilisation", link.utilisation}});
    return {{"throughput_per_s", 1 / seconds_of(detail.verdict.period)},
            {"latency_ps", detail.verdict.latency.count()},
            {"predicted_throughput_per_s", 1 / seconds_of(plan.predicted.bottleneck)},
            {"error", error_of(plan, detail)},
            {"period_ps", detail.verdict.period.count()},
            {"repeats", detail.repeats},
            {"inputs", detail.inputs},
            {"events", detail.events},
            {"chips", std::move(chips)},
            {"links", std::move(links)}};
}

}  // namespace sluice::report
