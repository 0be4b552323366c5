#include "sluice/training/registry.hpp"

#include <format>

#include "sluice/base/find_named.hpp"
#include "sluice/training/auto/auto.hpp"
#include "sluice/training/graphpipe/graphpipe.hpp"
#include "sluice/training/peers/data_parallel.hpp"
#include "sluice/training/peers/gpipe.hpp"
#include "sluice/training/peers/megatron.hpp"
#include "sluice/training/peers/pipedream.hpp"
#include "sluice/training/peers/piper.hpp"

namespace sluice::training {

namespace {

constexpr Planner kPlanners[] = {
    Planner{"auto", "pipelines on graphs of stages with the least iteration time: slices of orders, list schedule, walks", "Sluice's own",
            plan_auto},
    Planner{"graphpipe", "graphs of stages with one micro-batch size and 1F1B, the least bottleneck by bisection and dynamic programming",
            "Jeon et al., ASPLOS 2025", plan_by_graphpipe, true},
    Planner{"graphpipe-full", "the same with micro-batches of several sizes and kFkB", "Jeon et al., ASPLOS 2025, sections 4 and 5",
            plan_by_graphpipe_full, true},
    Planner{"pipedream", "linear pipelines with replicated stages, planned level by level of the machine",
            "Narayanan et al., SOSP 2019, section 3.1", plan_by_pipedream, true},
    Planner{"piper", "linear pipelines whose stages are data parallel and recompute where that pays", "Tarnawski et al., NeurIPS 2021",
            plan_by_piper, true},
    Planner{"gpipe", "runs of nearly equal work, one a device, all forward passes before all backward passes", "Huang et al., NeurIPS 2019",
            plan_by_gpipe, true},
    Planner{"megatron", "equally many layers a stage, 1F1B or interleaved, the best of all its settings", "Narayanan et al., SC 2021",
            plan_by_megatron, true},
    Planner{"data-parallel", "the whole model on every device, gradients summed once a mini-batch",
            "common practice (Li et al., VLDB 2020, with gradient accumulation)", plan_data_parallel, true},
};

}  // namespace

std::span<const Planner> planners() { return kPlanners; }

Result<const Planner*> find_planner(std::string_view name) {
    auto found = find_named(planners(), name, "method for training");
    if (found) return found;
    std::string list;
    for (const Planner& planner : kPlanners) list += std::format("{}{}", list.empty() ? "" : ", ", planner.name);
    return fail(std::move(found.error()).note("it is one of: " + list));
}

}  // namespace sluice::training
