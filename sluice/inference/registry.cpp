#include "sluice/inference/registry.hpp"

#include <array>

#include "sluice/base/find_named.hpp"
#include "sluice/inference/downset_planner.hpp"
#include "sluice/inference/genetic.hpp"
#include "sluice/inference/local_search.hpp"
#include "sluice/inference/pipedream.hpp"
#include "sluice/inference/plan_by_orders.hpp"
#include "sluice/inference/splits.hpp"

namespace sluice::inference {

namespace {

using enum OrderKind;

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

template <std::size_t kPopulation, std::size_t kGenerations>
Result<PlannerResult> evolve(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    return plan_by_genetic(problem, {.population = kPopulation, .generations = kGenerations}, options, observer, limits);
}

template <Measure kMeasure>
Result<PlannerResult> split_evenly(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                   const Limits& limits) {
    return plan_by_equal_shares(problem, kMeasure, options, observer, limits);
}

constexpr std::string_view kBrkga = "Archer, Fahrbach, Liu, Prabhu, ICML 2024, Algorithm 2 (BrkgaSortAndSlice)";
constexpr std::string_view kOwn = "simulated annealing on acyclic partitions; slicing of Archer et al., ICML 2024";
constexpr std::string_view kArcher = "Archer, Fahrbach, Liu, Prabhu, ICML 2024, Algorithm 1 (SliceGraph)";

constexpr std::array kPlanners{
    Planner{"auto",
            "slices the best orders, then searches downsets below the best plan: complete search and beam in turn, to a proof or a limit",
            "docs/explanation/bounds.md", false, plan_auto},
    Planner{"exact", "searches downsets completely: the optimum, or the best so far when a limit or the memory budget stops it",
            "docs/explanation/bounds.md", true, plan_exact},
    Planner{"beam", "keeps the most promising downsets of each level, ever more of them", "docs/explanation/bounds.md", false, plan_beam},
    Planner{"orders", "the best slicing of all deterministic orders, then of perturbed and random ones", kArcher, false,
            slice_many<kEveryOrder, kPerturbedOrders>},
    Planner{"heavy-cone", "slices the post-orders that visit the heaviest cone first, from the sinks and from the sources", kArcher, false,
            slice_fixed<kHeavyCone>},
    Planner{"depth-first", "slices the depth-first order (Kahn's algorithm with a stack)", kArcher, false, slice_fixed<kDepthFirst>},
    Planner{"greedy-frontier", "slices the order that keeps the least transfer time alive", kArcher, false, slice_fixed<kGreedyFrontier>},
    Planner{"random", "the best slicing of many uniformly random Kahn orders", kArcher, false, slice_many<kRandom, kRandom>},
    Planner{"model-order", "slices the model's own order", kArcher, false, slice_fixed<kModelOrder>},
    Planner{"brkga-100", "genetic algorithm over orders by random keys, 10 generations of 10", kBrkga, false, evolve<10, 10>, true},
    Planner{"brkga-10000", "genetic algorithm over orders by random keys, 100 generations of 100", kBrkga, false, evolve<100, 100>, true},
    Planner{"local-search", "walks from the best slicing: nodes, groups and exchanges across stage borders", kOwn, false,
            plan_by_local_search},
    Planner{"memetic", "a pool of partitions that are crossed at stage borders, walked and sliced again", kOwn, false, plan_by_memetic},
    Planner{"pipedream", "PipeDream's planner: antichain states, the larger of work and transfer",
            "Narayanan et al., SOSP 2019, section 3.1, forward only", false, plan_by_pipedream, true},
    Planner{"greedy-fill", "fills device after device to the average or its memory, in model order",
            "capacity splitters (TVM, OpenVINO HETERO)", false, plan_by_greedy_fill, true},
    Planner{"equal-work", "cuts the model's order into equal shares of work", "Barany and Grinberg 2015 (as torchgpipe balances)", false,
            split_evenly<Measure::work>, true},
    Planner{"equal-parameters", "cuts the model's order into equal shares of parameter bytes", "default of Coral's edgetpu_compiler", false,
            split_evenly<Measure::parameters>, true},
    Planner{"equal-operators", "cuts the model's order into equal numbers of operators", "common practice", false,
            split_evenly<Measure::operators>, true},
};

}  // namespace

std::span<const Planner> planners() { return kPlanners; }

Result<const Planner*> find_planner(std::string_view name) { return find_named(planners(), name, "method"); }

}  // namespace sluice::inference
