#include "sluice/inference/registry.hpp"

#include <array>
#include <format>
#include <vector>

#include "sluice/inference/downset_planner.hpp"
#include "sluice/inference/plan_by_orders.hpp"

namespace sluice::inference {

namespace {

using enum OrderKind;

constexpr std::array kEveryOrder{heavy_cone, heavy_cone_mirrored, depth_first, greedy_frontier, model};
constexpr std::array kPerturbed{heavy_cone, heavy_cone_mirrored, greedy_frontier, depth_first, random};
constexpr std::array kHeavyCone{heavy_cone, heavy_cone_mirrored};
constexpr std::array kDepthFirst{depth_first};
constexpr std::array kGreedyFrontier{greedy_frontier};
constexpr std::array kRandom{random};
constexpr std::array kModelOrder{model};

template <const auto& kFirst>
Result<PlannerResult> slice_fixed(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                  const Limits& limits) {
    return plan_by_orders(problem, kFirst, {}, options, observer, limits);
}

template <const auto& kFirst, const auto& kThen>
Result<PlannerResult> slice_many(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                 const Limits& limits) {
    return plan_by_orders(problem, kFirst, kThen, options, observer, limits);
}

constexpr std::string_view kArcher = "Archer, Fahrbach, Liu, Prabhu, ICML 2024, Algorithm 1 (SliceGraph)";

constexpr std::array kPlanners{
    Planner{"auto",
            "slices the best orders, then searches downsets below the best plan: complete search and beam in turn, to a proof or a limit",
            "docs/explanation/bounds.md", false, plan_auto},
    Planner{"exact", "searches downsets completely: the optimum, or the best so far when a limit or the memory budget stops it",
            "docs/explanation/bounds.md", true, plan_exact},
    Planner{"beam", "keeps the most promising downsets of each level, ever more of them", "docs/explanation/bounds.md", false, plan_beam},
    Planner{"orders", "the best slicing of all deterministic orders, then of perturbed and random ones", kArcher, false,
            slice_many<kEveryOrder, kPerturbed>},
    Planner{"heavy-cone", "slices the post-orders that visit the heaviest cone first, from the sinks and from the sources", kArcher, false,
            slice_fixed<kHeavyCone>},
    Planner{"depth-first", "slices the depth-first order (Kahn's algorithm with a stack)", kArcher, false, slice_fixed<kDepthFirst>},
    Planner{"greedy-frontier", "slices the order that keeps the least transfer time alive", kArcher, false, slice_fixed<kGreedyFrontier>},
    Planner{"random", "the best slicing of many uniformly random Kahn orders", kArcher, false, slice_many<kRandom, kRandom>},
    Planner{"model-order", "slices the model's own order", kArcher, false, slice_fixed<kModelOrder>},
};

}  // namespace

std::span<const Planner> planners() { return kPlanners; }

Result<const Planner*> find_planner(std::string_view name) {
    std::vector<std::string_view> names;
    for (const Planner& planner : kPlanners) {
        if (planner.name == name) return &planner;
        names.push_back(planner.name);
    }
    Diagnostic diagnostic = usage_error(std::format("unknown method '{}'", name));
    if (const auto near = nearest_match(name, names); !near.empty()) diagnostic.help = std::format("did you mean '{}'?", near);
    return fail(std::move(diagnostic));
}

}  // namespace sluice::inference
