#include "sluice/mcm/judge/fitting_judge.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sluice/cost/stage_cost.hpp"
#include "tests/support/chips.hpp"

namespace sluice::mcm {
namespace {

// What it says before anything is tried holds of everything that could be: with that operator somewhere, no assignment is within memory.
TEST(FittingJudge, NamesAnOperatorThatFitsNoChip) {
    int refused = 0, taken = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 71);
        const auto costs = test::random_problem(random, {.max_operators = 7, .hard = 1});
        ChipProblem problem = test::on_chips(costs, 1 + random.below(3), {.acyclic = true, .relay = random.chance(0.5)});
        problem.sram = costs.classes.front().fast_memory;
        const auto beyond = [&](std::size_t v) {
            return !cost::fits(costs.classes.front(), cost::stage_terms(costs, std::vector{NodeId(v)}, ClassId(0)));
        };
        const auto judge = fitting_judge(problem, std::make_unique<AnalyticJudge>(problem));
        if (judge) {
            ++taken;
            for (std::size_t v = 0; v < costs.node_count(); ++v) EXPECT_FALSE(beyond(v));
            continue;
        }
        ++refused;
        EXPECT_EQ(judge.error().kind, DiagnosticKind::infeasible);
        std::size_t v = 0;
        while (!beyond(v)) ASSERT_LT(++v, costs.node_count());
        EXPECT_NE(judge.error().message.find("operator '" + problem.names[v] + "'"), std::string::npos) << judge.error().message;
        for (const Assignment& chips : test::legal_assignments(problem)) EXPECT_TRUE(beyond_memory(problem, chips));
        problem.sram.reset();  // lifted
        EXPECT_TRUE(fitting_judge(problem, std::make_unique<AnalyticJudge>(problem)));
    }
    EXPECT_GT(refused, 20);
    EXPECT_GT(taken, 20);
}

}  // namespace
}  // namespace sluice::mcm
