#include "sluice/mcm/search/exact.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/chips.hpp"
#include "tests/support/effort.hpp"

namespace sluice::mcm {
namespace {

/// Against all legal assignments, under every set of rules that it is exact for, and nogoods, spill, host links and both cost models.
TEST(Exact, IsTheBestOfAllLegalAssignments) {
    std::size_t none = 0, found = 0, whole = 0;
    for (std::uint64_t seed = 0; seed < test::cases(1'000); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 21);
        test::RandomProblemOptions options{.max_operators = 7};
        options.overlap = 0.4;
        options.host_link = 0.4;
        const auto costs = test::random_problem(random, options);
        auto problem = test::random_chips(costs, 4, random);
        problem.rules.acyclic = true;
        switch (random.below(3)) {
            case 0:
                problem.rules.adjacent = true;
                break;
            case 1:
                problem.rules.relay = true;
                break;
            default:
                problem.rules.triangle = problem.rules.adjacent = false;
        }
        Duration best = Duration::max();
        for (const Assignment& chips : test::legal_assignments(problem)) best = std::min(best, bottleneck(problem, chips));
        const ExactResult result = search_chains(problem, {}, {});
        ASSERT_EQ(result.outcome, ExactOutcome::complete);
        ASSERT_EQ(result.best.has_value(), best != Duration::max());
        if (!result.best) {
            ++none;
            continue;
        }
        ++found;
        const auto faults = chip_faults(problem, *result.best);
        ASSERT_TRUE(faults.empty()) << faults.front().message;
        ASSERT_EQ(result.bottleneck, best);
        ASSERT_EQ(result.proven, best);
        ASSERT_EQ(bottleneck(problem, *result.best), best);
        whole += *std::ranges::max_element(*result.best) > 0;
        // Nothing is below the best, and everything below it is found.
        EXPECT_FALSE(search_chains(problem, {.below = best}, {}).best.has_value());
        EXPECT_EQ(search_chains(problem, {.below = best + Duration(1)}, {}).bottleneck, best);
    }
    EXPECT_GT(none, test::cases(6));
    EXPECT_GT(whole, found / 3);
}

/// The paper's triangle: never better than the best, legal, and the best where every chip feeds the next one.
TEST(Exact, UnderTheTriangleOfThePaper) {
    std::size_t equal = 0, all = 0;
    for (std::uint64_t seed = 0; seed < test::cases(1'000); ++seed) {
        RandomStream random(seed, 22);
        const auto costs = test::random_problem(random, {.max_operators = 7});
        const auto problem = test::on_chips(costs, 3);
        Duration best = Duration::max();
        for (const Assignment& chips : test::legal_assignments(problem)) best = std::min(best, bottleneck(problem, chips));
        const ExactResult result = search_chains(problem, {}, {});
        ASSERT_TRUE(result.best.has_value()) << seed;
        ASSERT_TRUE(chip_faults(problem, *result.best).empty()) << seed;
        ASSERT_GE(result.bottleneck, best) << seed;
        equal += result.bottleneck == best;
        ++all;
    }
    EXPECT_GT(equal * 10, all * 8);
}

}  // namespace
}  // namespace sluice::mcm
