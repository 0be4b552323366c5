// Local search and memetic search: never worse than what they begin with, the same at any number of threads, ended by any limit.
#include "sluice/inference/local_search.hpp"

#include <gtest/gtest.h>

#include "tests/support/random_problem.hpp"
#include "tests/unit/inference/plan_by_name.hpp"

namespace sluice {
namespace {

using inference::PlannerOptions;
using test::large_problem;
using test::plan;

TEST(LocalSearch, SamePlanAtAnyThreadCountAndExactCounts) {
    for (const auto name : {"local-search", "memetic"})
        for (std::uint64_t i = 0; i < 3; ++i) {
            const auto problem = large_problem(10 + i, 120);
            const Limits limits{.deadline = {}, .evaluations = 60'000 + 7 * static_cast<std::int64_t>(i), .stop = {}};
            const auto one = plan(name, problem, {.stages = 8, .seed = i, .threads = 1}, limits);
            ASSERT_TRUE(one) << one.error().message;
            EXPECT_LE(one->termination.evaluations, *limits.evaluations);
            EXPECT_EQ(one->termination.reason, StopReason::evaluations);
            for (int threads : {2, 8}) {
                const auto many = plan(name, problem, {.stages = 8, .seed = i, .threads = threads}, limits);
                ASSERT_TRUE(many);
                EXPECT_EQ(one->partition, many->partition);
                EXPECT_EQ(one->winner, many->winner);
                EXPECT_EQ(one->termination.evaluations, many->termination.evaluations);
            }
        }
}

TEST(LocalSearch, BeatsTheOrdersItBeginsWith) {
    std::size_t better = 0;
    for (std::uint64_t i = 0; i < 6; ++i) {
        const auto problem = large_problem(20 + i, 150);
        Duration orders = Duration::max();
        for (const auto order : {"heavy-cone", "depth-first", "greedy-frontier", "model-order"})
            orders = std::min(orders, price(problem, plan(order, problem, {.stages = 8}, {})->partition).bottleneck);
        for (const auto name : {"local-search", "memetic"}) {
            const auto result = plan(name, problem, {.stages = 8}, {.deadline = {}, .evaluations = 40'000, .stop = {}});
            ASSERT_TRUE(result);
            const auto bottleneck = price(problem, result->partition).bottleneck;
            EXPECT_LE(bottleneck, orders) << name;
            better += bottleneck < orders;
        }
    }
    EXPECT_GE(better, 10u);  // random graphs are far from what any order can do
}

TEST(LocalSearch, ImproveIsNeverWorseThanItsStart) {
    SilentObserver observer;
    for (std::uint64_t i = 0; i < 20; ++i) {
        const auto problem = large_problem(30 + i, 60);
        RandomStream random(4, i);
        const auto start = test::random_partition(problem, 6, random);
        ASSERT_TRUE(cost::faults_of(problem, start, 6).empty());
        const auto result = inference::improve(problem, start, {.stages = 6}, observer, {.deadline = {}, .evaluations = 2000, .stop = {}});
        ASSERT_TRUE(result);
        EXPECT_TRUE(cost::faults_of(problem, result->partition, 6).empty());
        EXPECT_LT(price(problem, result->partition).bottleneck, price(problem, start).bottleneck);
    }
}

TEST(LocalSearch, EndsOnItsOwnAndAtADeadline) {
    const auto problem = large_problem(50, 60);
    const auto past = Limits::Clock::now() - std::chrono::seconds(1);
    for (const auto name : {"local-search", "memetic", "brkga-100"}) {
        const auto result = plan(name, problem, {.stages = 4}, {});
        ASSERT_TRUE(result);
        EXPECT_EQ(result->termination.reason, StopReason::finished);
        const auto late = plan(name, problem, {.stages = 4}, {.deadline = past, .evaluations = {}, .stop = {}});
        ASSERT_TRUE(late) << late.error().message;
        EXPECT_EQ(late->termination.reason, StopReason::time);
        EXPECT_TRUE(cost::faults_of(problem, late->partition, 4).empty());
    }
}

TEST(LocalSearch, ReplicasAndDeviceClassesStayValid) {
    for (std::uint64_t i = 0; i < 30; ++i) {
        auto options = test::RandomProblemOptions::everything();
        options.hard = 0.5;
        const auto problem = large_problem(60 + i, 40, options);
        for (const auto name : {"local-search", "memetic", "brkga-100"}) {
            const auto result =
                plan(name, problem, {.stages = 6, .max_replicas = 2, .seed = i}, {.deadline = {}, .evaluations = 3000, .stop = {}});
            if (!result) continue;
            const auto faults = cost::faults_of(problem, result->partition, 6);
            EXPECT_TRUE(faults.empty()) << name << ": " << faults.front().message;
        }
    }
}

}  // namespace
}  // namespace sluice
