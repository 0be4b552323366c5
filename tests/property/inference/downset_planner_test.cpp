#include "sluice/inference/downset_planner.hpp"

#include <gtest/gtest.h>

#include "tests/support/brute_force.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::inference {
namespace {

TEST(ExactPlanner, EqualsBruteForceWhateverTheProblem) {
    SilentObserver observer;
    std::size_t compared = 0;
    for (std::uint64_t seed = 0; seed < 600; ++seed) {
        RandomStream random(seed, 21);
        auto options = seed % 2 ? test::RandomProblemOptions::everything(9) : test::RandomProblemOptions{.max_operators = 11};
        const std::int64_t stages = random.between(1, 5), replicas = random.between(1, 3);
        const cost::StageProblem problem = test::random_problem(random, options, stages);
        const std::int64_t optimum = test::PartitionOptimum(problem).at(stages, replicas);
        const auto result = plan_exact(problem, {.stages = stages, .max_replicas = replicas}, observer, {});
        if (!result) continue;
        ASSERT_TRUE(cost::faults_of(problem, result->partition, stages).empty()) << "seed " << seed;
        const std::int64_t found = cost::price(problem, result->partition).bottleneck.count();
        ASSERT_GE(found, optimum) << "seed " << seed;
        if (std::ranges::any_of(problem.classes, [](const auto& c) { return c.overflow == cost::Overflow::hard; })) continue;
        ASSERT_EQ(found, optimum) << "seed " << seed;
        ASSERT_EQ(result->termination.reason, StopReason::optimal) << "seed " << seed;
        ++compared;
    }
    EXPECT_GT(compared, 400u);
}

TEST(AutoPlanner, IsTheSameAtAnyThreadCountAndNeverBelowTheOptimum) {
    SilentObserver observer;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        RandomStream random(seed, 22);
        const auto options = test::RandomProblemOptions::everything(10);
        const std::int64_t stages = random.between(1, 4);
        const cost::StageProblem problem = test::random_problem(random, options, stages);
        Limits limits;
        limits.evaluations = random.between(1, 60);
        const auto one = plan_auto(problem, {.stages = stages, .seed = seed, .threads = 1}, observer, limits);
        const auto eight = plan_auto(problem, {.stages = stages, .seed = seed, .threads = 8}, observer, limits);
        ASSERT_EQ(one.has_value(), eight.has_value());
        if (!one) continue;
        EXPECT_EQ(one->partition, eight->partition) << "seed " << seed;
        EXPECT_EQ(one->termination.evaluations, eight->termination.evaluations) << "seed " << seed;
        EXPECT_GE(cost::price(problem, one->partition).bottleneck.count(), test::PartitionOptimum(problem).at(stages, 1));
    }
}

TEST(ExactPlanner, SaysWhenItsMemoryIsSpent) {
    SilentObserver observer;
    std::size_t warned = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        RandomStream random(seed, 23);
        const cost::StageProblem problem = test::random_problem(random, {.min_operators = 30, .max_operators = 40}, 4);
        const auto result = plan_exact(problem, {.stages = 4, .memory = Bytes{1}}, observer, {});
        ASSERT_TRUE(result);
        EXPECT_EQ(result->warnings.empty(), result->termination.reason == StopReason::optimal);
        warned += result->warnings.size();
    }
    EXPECT_GT(warned, 0u);
}

}  // namespace
}  // namespace sluice::inference
