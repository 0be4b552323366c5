#include "sluice/training/peers/data_parallel.hpp"

#include <gtest/gtest.h>

#include "sluice/training/evaluate.hpp"
#include "tests/support/training.hpp"

namespace sluice::training {
namespace {

cost::TrainingProblem problem_of(std::int64_t devices, Bytes memory, std::int64_t mini_batch) {
    auto operators = test::chain_of(4, {.forward = 1000, .backward = 2000, .made = Bytes{10}});
    return test::training_problem(test::given_graph(operators), test::given_devices(devices, memory), mini_batch);
}

Result<PlannerResult> data_parallel_plan(const cost::TrainingProblem& problem, const PlannerOptions& options = {},
                                         const Limits& limits = {}) {
    SilentObserver silent;
    return plan_data_parallel(problem, options, silent, limits);
}

/// The best of every micro-batch, with and without recomputation, that has no faults; nothing when there is none.
std::optional<Duration> best_by_trying(const cost::TrainingProblem& problem, bool recompute_too) {
    std::optional<Duration> best;
    for (const std::int64_t size : micro_batches(problem, false))
        for (const bool recompute : {false, true}) {
            if (recompute && !recompute_too) continue;
            auto partition = test::stages_of(problem, {{0, 1, 2, 3}}, size, cost::Schedule::one_f_one_b);
            partition.stages[0].replicas = device_count(problem);
            partition.stages[0].recompute = recompute;
            cost::set_in_flight(problem, partition);
            if (!cost::faults_of(problem, partition).empty()) continue;
            const Duration time = iteration_time(problem, partition);
            if (!best || time < *best) best = time;
        }
    return best;
}

TEST(DataParallel, ClosedForm) {
    const auto problem = problem_of(2, {}, 8);
    const auto result = data_parallel_plan(problem);
    ASSERT_TRUE(result) << to_text(result.error());
    EXPECT_TRUE(cost::faults_of(problem, result->partition).empty());
    ASSERT_EQ(result->partition.stages.size(), 1u);
    EXPECT_EQ(result->partition.stages[0].replicas, 2);
    // four samples a replica, 12 ns each; 16 bytes summed in two steps of 8 at 1 GB/s; with given times the optimiser is free
    EXPECT_EQ(result->iteration.count(), 4 * 12'000 + 2 * 8'000);
    EXPECT_EQ(result->iteration, iteration_time(problem, result->partition));
}

TEST(DataParallel, ThreeReplicasDoNotShareOddBatchesEvenly) {
    const auto problem = problem_of(3, {}, 8);  // 8 in one micro-batch: 3 samples; in two of 4: 2 + 2; in eight of 1: 8
    const auto result = data_parallel_plan(problem);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->partition.stages[0].micro_batch, 8);
    EXPECT_EQ(result->iteration, *best_by_trying(problem, true));
}

TEST(DataParallel, TakesTheBestThatFitsTheMemory) {
    std::size_t smaller = 0, recomputed = 0, none = 0;
    for (std::int64_t memory = 20; memory <= 400; memory += 4) {
        const auto problem = problem_of(2, {memory}, 8);
        const auto result = data_parallel_plan(problem);
        const auto best = best_by_trying(problem, true);
        ASSERT_EQ(result.has_value(), best.has_value()) << memory;
        if (!result) {
            EXPECT_EQ(result.error().kind, DiagnosticKind::infeasible);
            EXPECT_FALSE(result.error().help.empty());
            ++none;
            continue;
        }
        EXPECT_TRUE(cost::faults_of(problem, result->partition).empty());
        EXPECT_EQ(result->iteration, *best) << memory;
        recomputed += result->partition.stages[0].recompute;
        smaller += result->partition.stages[0].micro_batch < 8;
    }
    EXPECT_GT(smaller, 0u);
    EXPECT_GT(recomputed + none, 0u);
}

TEST(DataParallel, DoesWhatItIsAsked) {
    const auto problem = problem_of(2, {}, 8);
    const auto result = data_parallel_plan(problem, {.micro_batch = 2, .schedule = cost::Schedule::gpipe, .recompute = true});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->partition.stages[0].micro_batch, 2);
    EXPECT_TRUE(result->partition.stages[0].recompute);
    EXPECT_EQ(result->partition.schedule, cost::Schedule::gpipe);
    EXPECT_EQ(result->partition.stages[0].in_flight, 8);
}

TEST(DataParallel, StopsAtItsLimits) {
    const auto problem = problem_of(2, {}, 8);
    const auto one = data_parallel_plan(problem, {}, {.deadline = {}, .evaluations = 1, .stop = {}});
    ASSERT_TRUE(one);
    EXPECT_EQ(one->termination.reason, StopReason::evaluations);
    EXPECT_EQ(one->termination.evaluations, 1);
    std::stop_source stop;
    stop.request_stop();
    const auto nothing = data_parallel_plan(problem, {}, {.deadline = {}, .evaluations = {}, .stop = stop.get_token()});
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().kind, DiagnosticKind::stopped);
}

TEST(TrainingRegistry, NamesAreFoundAndMisspeltOnesHaveANearest) {
    for (const Planner& planner : planners()) EXPECT_EQ(find_planner(planner.name).value(), &planner);
    const auto misspelt = find_planner("data-paralel");
    ASSERT_FALSE(misspelt);
    EXPECT_EQ(misspelt.error().kind, DiagnosticKind::usage);
    EXPECT_TRUE(misspelt.error().help.contains("data-parallel"));
}

}  // namespace
}  // namespace sluice::training
