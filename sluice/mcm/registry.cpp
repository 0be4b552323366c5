#include "sluice/mcm/registry.hpp"

#include <array>

#include "sluice/base/find_named.hpp"
#include "sluice/mcm/auto.hpp"
#include "sluice/mcm/policy/policy_planner.hpp"
#include "sluice/mcm/residual/residual.hpp"
#include "sluice/mcm/search/anneal.hpp"
#include "sluice/mcm/search/baselines.hpp"
#include "sluice/mcm/search/brkga.hpp"
#include "sluice/mcm/search/exact.hpp"
#include "sluice/mcm/search/lns.hpp"
#include "sluice/mcm/search/order_dp.hpp"
#include "sluice/mcm/search/random_search.hpp"

namespace sluice::mcm {

namespace {

template <AnnealMoves kMoves, AnnealStart kStart>
Result<PlannerResult> anneal(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    return plan_by_annealing(problem, anneal_options(kMoves, kStart), options, observer, limits);
}

using enum AnnealMoves;
using enum AnnealStart;

constexpr std::string_view kAnneal = "Kirkpatrick, Gelatt, Vecchi 1983, on what the solver of Xie et al., MLSys 2022, makes legal";
constexpr std::string_view kXie = "Xie et al., MLSys 2022 (random search over what the solver makes legal)";

constexpr std::string_view kArcher = "Archer, Fahrbach, Liu, Prabhu, ICML 2024, Algorithm 1 (SliceGraph), with the rules of the ring";
constexpr std::string_view kOrders = "docs/explanation/chips.md";

constexpr std::array kPlanners{
    Planner{"auto", "slices orders, walks over orders, learns what the judge says otherwise than planned, searches around the best",
            kOrders, plan_auto},
    Planner{"order-dp",
            "the best slicing of five orders under the planners' cost: depth first, greatest, least and middle labels, the model's own",
            kOrders, plan_by_orders},
    Planner{"residual", "learns the error of the planners' cost from judged plans, and slices orders under the corrected cost", kOrders,
            plan_by_residual},
    Planner{"lns", "frees a few consecutive chips of the best plan, slices their operators anew, keeps what the judge prefers", kOrders,
            plan_by_lns},
    Planner{"exact", "searches all chains of downsets under the planners' cost: the optimum where graphs are narrow",
            "docs/explanation/chips.md; after Tarnawski et al., NeurIPS 2020", plan_exact},
    Planner{"brkga", "genetic algorithm over orders by random keys, each sliced",
            "Archer et al., ICML 2024, Algorithm 2 (BrkgaSortAndSlice)", plan_by_brkga, true},
    Planner{"greedy", "fills chip after chip to the average work or its memory, in topological order",
            "the compiler heuristic that Xie et al., MLSys 2022, compare with", plan_by_greedy, true},
    Planner{"equal-operators", "cuts an order into equal numbers of operators and repairs the cuts", "common practice",
            plan_by_equal_operators, true},
    Planner{"equal-work", "cuts an order into equal shares of work and repairs the cuts", "common practice", plan_by_equal_work, true},
    Planner{"random", "draws legal assignments evenly, operators in a random order", kXie, plan_by_random, true},
    Planner{"random-bisection", "draws legal assignments evenly, operators in the order of bisection", kXie, plan_by_random_bisection,
            true},
    Planner{"random-cuts", "cuts an order at random places and repairs the cuts", "common practice", plan_by_random_cuts, true},
    Planner{"random-keys", "slices orders drawn between the earliest and the latest level of each operator", kArcher, plan_by_random_keys,
            true},
    Planner{"random-equal-work", "draws legal assignments near equal shares of work; nothing is learnt",
            "the policy's prior with a fixed spread", plan_by_random_equal_work, true},
    Planner{"anneal-node", "simulated annealing from a random start: moves an operator, and with it what has to move", kAnneal,
            anneal<node, random>, true},
    Planner{"anneal-node-equal-work", "simulated annealing from equal work: moves an operator, and with it what has to move", kAnneal,
            anneal<node, equal_work>, true},
    Planner{"anneal-cut", "simulated annealing from a random start: shifts the cuts of an order and repairs them", kAnneal,
            anneal<cut, random>, true},
    Planner{"anneal-cut-equal-work", "simulated annealing from equal work: shifts the cuts of an order and repairs them", kAnneal,
            anneal<cut, equal_work>, true},
    Planner{"anneal-smooth", "simulated annealing from a random start: moves operators by a norm of all chip times", kAnneal,
            anneal<smooth, random>, true},
    Planner{"anneal-smooth-equal-work", "simulated annealing from equal work: moves operators by a norm of all chip times", kAnneal,
            anneal<smooth, equal_work>, true},
    Planner{"policy", "draws legal assignments from a trained policy, as it comes or from a file",
            "Xie et al., MLSys 2022, section 4, with an ordinal head on equal work", policy::plan_by_policy, false},
};

}  // namespace

std::span<const Planner> planners() { return kPlanners; }

Result<const Planner*> find_planner(std::string_view name) { return find_named(planners(), name, "method for chips"); }

}  // namespace sluice::mcm
