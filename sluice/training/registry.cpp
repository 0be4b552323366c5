#include "sluice/training/registry.hpp"

#include <format>

#include "sluice/training/auto.hpp"
#include "sluice/training/data_parallel.hpp"

namespace sluice::training {

namespace {

constexpr Planner kPlanners[] = {
    Planner{"auto", "pipelines on graphs of stages with the least iteration time: slices of orders, list schedule, walks", "Sluice's own",
            plan_auto},
    Planner{"data-parallel", "the whole model on every device, gradients summed once a mini-batch",
            "common practice (Li et al., VLDB 2020, with gradient accumulation)", plan_data_parallel, true},
};

}  // namespace

std::span<const Planner> planners() { return kPlanners; }

Result<const Planner*> find_planner(std::string_view name) {
    std::vector<std::string_view> names;
    for (const Planner& planner : kPlanners) {
        if (planner.name == name) return &planner;
        names.push_back(planner.name);
    }
    std::string list;
    for (const std::string_view known : names) list += std::format("{}{}", list.empty() ? "" : ", ", known);
    Diagnostic diagnostic = usage_error(std::format("no planner for training is called '{}'", name)).note("it is one of: " + list);
    if (const auto near = nearest_match(name, names); !near.empty()) diagnostic.help = std::format("did you mean '{}'?", near);
    return fail(std::move(diagnostic));
}

}  // namespace sluice::training
