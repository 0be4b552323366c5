// Every planner by name on random problems of every kind: valid, never below the optimum by brute force, never worse than its start, the
// same at any number of threads.
#include <gtest/gtest.h>

#include <array>

#include "sluice/inference/registry.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using inference::PlannerOptions;

constexpr std::int64_t kEvaluations = 60;

Result<inference::PlannerResult> plan(const inference::Planner& planner, const cost::StageProblem& problem, const PlannerOptions& options) {
    SilentObserver observer;
    return planner.plan(problem, options, observer, {.deadline = {}, .evaluations = kEvaluations, .stop = {}});
}

TEST(EveryPlanner, IsValidAndNeverBelowTheOptimum) {
    std::size_t planned = 0, refused = 0;
    for (std::uint64_t i = 0; i < 250; ++i) {
        RandomStream random(1, i);
        const auto problem = test::random_problem(random, test::RandomProblemOptions::everything());
        const auto stages = static_cast<std::int64_t>(1 + random.below(4));
        const std::int64_t optimum = test::PartitionOptimum(problem).at(stages, 1);
        for (const auto& planner : inference::planners()) {
            SCOPED_TRACE(::testing::Message() << planner.name << " on problem " << i << ", " << stages << " stages");
            const auto result = plan(planner, problem, {.stages = stages, .seed = i});
            if (!result) {
                ++refused;
                EXPECT_TRUE(result.error().kind == DiagnosticKind::infeasible || result.error().message.starts_with("no feasible plan"))
                    << result.error().message;
                continue;
            }
            ++planned;
            const auto faults = cost::faults_of(problem, result->partition, stages);
            ASSERT_TRUE(faults.empty()) << faults.front().message;
            EXPECT_GE(price(problem, result->partition).bottleneck.count(), optimum);
            EXPECT_LE(result->termination.evaluations, kEvaluations);
        }
    }
    EXPECT_GT(planned, 10 * refused / 9);
    EXPECT_GT(refused, 0u);
}

TEST(EveryPlanner, IsNeverWorseThanItsStart) {
    for (std::uint64_t i = 0; i < 60; ++i) {
        RandomStream random(2, i);
        auto options = test::RandomProblemOptions::everything(25);
        options.max_operators = 25;
        const auto problem = test::random_problem(random, options, 4);
        const auto start = test::random_partition(problem, 4, random);
        if (!cost::faults_of(problem, start, 4).empty()) continue;
        for (const auto& planner : inference::planners()) {
            if (planner.name == "auto" || planner.source.contains("Algorithm 1")) continue;  // these slice orders, whatever the start
            SCOPED_TRACE(::testing::Message() << planner.name << " on problem " << i);
            for (const auto objective : {inference::Objective::throughput, inference::Objective::latency}) {
                const auto result = plan(planner, problem, {.stages = 4, .objective = objective, .seed = i, .start = &start});
                ASSERT_TRUE(result) << result.error().message;
                const auto before = price(problem, start), after = price(problem, result->partition);
                const bool throughput = objective == inference::Objective::throughput;
                EXPECT_LE(throughput ? after.bottleneck : after.latency, throughput ? before.bottleneck : before.latency);
            }
        }
    }
}

TEST(EveryPlanner, SameSeedSamePlanAtAnyThreadCount) {
    for (std::uint64_t i = 0; i < 4; ++i) {
        RandomStream random(3, i);
        auto options = test::RandomProblemOptions::everything();
        options.min_operators = 60, options.max_operators = 120;
        options.hard = 0;
        const auto problem = test::random_problem(random, options, 6);
        for (const auto& planner : inference::planners()) {
            SCOPED_TRACE(::testing::Message() << planner.name << " on problem " << i);
            const auto one = plan(planner, problem, {.stages = 6, .seed = i, .threads = 1});
            for (int threads : {2, 8}) {
                const auto many = plan(planner, problem, {.stages = 6, .seed = i, .threads = threads});
                ASSERT_EQ(one.has_value(), many.has_value());
                if (!one) continue;
                EXPECT_EQ(one->partition, many->partition);
                EXPECT_EQ(one->winner, many->winner);
                EXPECT_EQ(one->termination.evaluations, many->termination.evaluations);
                EXPECT_EQ(one->termination.reason, many->termination.reason);
            }
        }
    }
}

}  // namespace
}  // namespace sluice
