#include "sluice/mcm/registry.hpp"

#include <array>

#include "sluice/base/find_named.hpp"
#include "sluice/mcm/policy/policy_planner.hpp"
#include "sluice/mcm/search/baselines.hpp"
#include "sluice/mcm/search/random_search.hpp"

namespace sluice::mcm {

namespace {

constexpr std::string_view kXie = "Xie et al., MLSys 2022, section 5 (random search over what the solver makes legal)";

constexpr std::array kPlanners{
    Planner{"greedy", "fills chip after chip to the average work or its memory, in topological order",
            "the compiler heuristic that Xie et al., MLSys 2022, compare with", plan_by_greedy, true},
    Planner{"equal-operators", "cuts an order into equal numbers of operators and repairs the cuts", "common practice",
            plan_by_equal_operators, true},
    Planner{"equal-work", "cuts an order into equal shares of work and repairs the cuts", "common practice", plan_by_equal_work, true},
    Planner{"random", "draws legal assignments evenly, operators in a random order", kXie, plan_by_random, true},
    Planner{"random-bisection", "draws legal assignments evenly, operators in the order of bisection", kXie, plan_by_random_bisection,
            true},
    Planner{"random-cuts", "cuts an order at random places and repairs the cuts", "common practice", plan_by_random_cuts, true},
    Planner{"random-equal-work", "draws legal assignments near equal shares of work; nothing is learnt",
            "the policy's prior with a fixed spread", plan_by_random_equal_work, true},
    Planner{"policy", "draws legal assignments from a trained policy, as it comes or from a file",
            "Xie et al., MLSys 2022, section 4, with an ordinal head on equal work", policy::plan_by_policy, false},
};

}  // namespace

std::span<const Planner> planners() { return kPlanners; }

Result<const Planner*> find_planner(std::string_view name) { return find_named(planners(), name, "method"); }

}  // namespace sluice::mcm
