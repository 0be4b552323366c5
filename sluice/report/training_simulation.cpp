#include "sluice/report/training_simulation.hpp"

#include <algorithm>
#include <format>
#include <nlohmann/json.hpp>

#include "sluice/report/link_use.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"
#include "sluice/report/training_text.hpp"

namespace sluice::report {

namespace {

using nlohmann::ordered_json;

std::vector<std::size_t> stages_of(const TrainingSimulationView& view, std::size_t group) {
    std::vector<std::size_t> stages;
    for (std::size_t s = 0; s < view.program->stages.size(); ++s)
        if (view.program->stages[s].group == group) stages.push_back(s);
    return stages;
}

Table group_table(const TrainingSimulationView& view) {
    Table table{{{"devices"}, {"stages"}, {"busy"}, {"share"}, {"", Align::left}, {"memory"}}, {}};
    for (std::size_t g = 0; g < view.result->groups.size(); ++g) {
        const simulate::GroupUse& use = view.result->groups[g];
        const program::DeviceGroup& group = view.program->groups[g];
        std::string stages;
        for (const std::size_t s : stages_of(view, g)) stages += std::format("{}{}", stages.empty() ? "" : ",", s);
        table.rows.push_back({device_range(group.first_device, group.devices), stages, to_text(use.busy), percent(1 - use.bubble),
                              bar(1 - use.bubble, kBarWidth), to_text(use.peak_memory)});
    }
    return table;
}

/// The group that works longest; the first of them.
std::size_t busiest(const TrainingSimulationView& view) {
    const auto& groups = view.result->groups;
    return static_cast<std::size_t>(std::ranges::max_element(groups, {}, &simulate::GroupUse::busy) - groups.begin());
}

ordered_json per_second(std::int64_t samples, Duration time) {
    if (time <= Duration{0}) return nullptr;
    return static_cast<double>(samples) * 1e12 / static_cast<double>(time.count());
}

}  // namespace

std::string training_simulation_text(const TrainingSimulationView& view) {
    const simulate::TrainingResult& result = *view.result;
    const std::size_t most = busiest(view);
    const program::DeviceGroup& group = view.program->groups[most];
    Bytes memory;
    for (const simulate::GroupUse& use : result.groups) memory = std::max(memory, use.peak_memory);
    const Duration planned = objective_value(*view.plan);
    const std::string text = std::format("{} on {}: {}, {} schedule, {} cost\n\n", printable(view.plan->model.name),
                                         printable(view.plan->platform.name), counted(view.program->stages.size(), "stage"),
                                         cost::to_text(view.plan->training->schedule), platform::to_text(view.plan->platform.model)) +
                             table_text(group_table(view)) + "\n" +
                             (result.links.empty() ? "" : table_text(link_table(result.links, view.busiest_links)) + "\n");
    return text + facts_text({{"iteration", std::format("{} for {}{}", to_text(result.iteration),
                                                        counted(static_cast<std::size_t>(view.program->mini_batch), "sample"),
                                                        result.iteration == planned ? ", as planned"
                                                                                    : std::format("; the plan says {}", to_text(planned)))},
                              {"throughput", samples_text(view.program->mini_batch, result.iteration)},
                              {"bubble", percent(result.bubble) + " of the devices in use"},
                              {"busiest", std::format("{} {}, {}", group.devices == 1 ? "device" : "devices",
                                                      device_range(group.first_device, group.devices), to_text(result.groups[most].busy))},
                              {"memory", std::format("{} reached on one device at most; the plan reserves {}", to_text(memory),
                                                     to_text(view.plan->predicted.peak_memory))},
                              {"events", grouped(static_cast<std::size_t>(result.events))}});
}

ordered_json training_simulation_json(const TrainingSimulationView& view) {
    const simulate::TrainingResult& result = *view.result;
    const std::int64_t samples = view.program->mini_batch;
    const Duration planned = objective_value(*view.plan);
    ordered_json groups = ordered_json::array();
    for (std::size_t g = 0; g < result.groups.size(); ++g)
        groups.push_back({{"first_device", view.program->groups[g].first_device},
                          {"devices", view.program->groups[g].devices},
                          {"stages", stages_of(view, g)},
                          {"busy_ps", result.groups[g].busy.count()},
                          {"bubble", result.groups[g].bubble},
                          {"peak_memory_bytes", result.groups[g].peak_memory.count}});
    return {{"throughput_per_s", per_second(samples, result.iteration)},
            {"latency_ps", nullptr},
            {"predicted_throughput_per_s", per_second(samples, planned)},
            {"error", planned <= Duration{0} || result.iteration <= Duration{0}
                          ? ordered_json(nullptr)
                          : ordered_json(static_cast<double>(planned.count()) / static_cast<double>(result.iteration.count()) - 1)},
            {"iteration_ps", result.iteration.count()},
            {"mini_batch", samples},
            {"bubble", result.bubble},
            {"busiest_device", view.program->groups[busiest(view)].first_device},
            {"instructions", result.instructions},
            {"events", result.events},
            {"groups", std::move(groups)},
            {"links", links_json(result.links)}};
}

}  // namespace sluice::report
