// Randomised: what travels between numbers of stages stays valid. Every plan holds for its own number, every certificate is accepted for
// it, both only improve with k, no bound is below that of a solve of its own, plans are better far more often than not, and nothing depends
// on the number of threads.
#include "sluice/solve/sweep.hpp"

#include <gtest/gtest.h>

#include "sluice/bound/check_certificate.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::solve {
namespace {

TEST(Sweep, PointsHoldAndOnlyImprove) {
    std::size_t helped = 0, hindered = 0;
    for (std::uint64_t i = 0; i < 300; ++i) {
        RandomStream random(41, i);
        const bool wild = i % 2 == 1;
        auto options = wild ? test::RandomProblemOptions::everything(16) : test::RandomProblemOptions{};
        options.max_operators = 16;
        const cost::StageProblem problem = test::random_problem(random, options);
        std::vector<std::int64_t> stages;
        for (std::int64_t k = random.between(1, 3); k <= 8; k += random.between(1, 3)) stages.push_back(k);
        const Limits limits{.deadline = {}, .evaluations = 1, .stop = {}};  // little, so that help is needed
        SilentObserver silent;
        SolveOptions base;
        base.method = "random";
        base.max_replicas = i % 3 == 0 ? 2 : 1;
        if (i % 5 == 0) base.objective = cost::Objective::latency;
        const auto value = [&](const SolveResult& result) { return objective_value(result.cost, base.objective); };
        const auto run = [&](int threads) {
            SolveOptions asked = base;
            asked.threads = threads;
            return sweep(problem, stages, asked, [&](std::int64_t) -> Observer& { return silent; }, limits);
        };
        const auto points = run(1);
        ASSERT_TRUE(points) << i << ": " << to_text(points.error());
        ASSERT_EQ(points->size(), stages.size());
        const SweepPoint* before = nullptr;
        for (const SweepPoint& point : *points) {
            if (!point.result) {
                EXPECT_TRUE(point.failure) << i;
                EXPECT_EQ(before, nullptr) << i << ": " << point.stages << " stages fail where fewer do not";
                continue;
            }
            cost::StageProblem own = problem;
            cost::allow_stages(own, point.stages);
            const SolveResult& result = *point.result;
            EXPECT_TRUE(cost::faults_of(own, result.partition, point.stages).empty()) << i;
            EXPECT_EQ(cost::price(own, result.partition).bottleneck, result.cost.bottleneck) << i;
            EXPECT_TRUE(result.certified) << i;
            EXPECT_EQ(result.certificate.stages, point.stages) << i;
            EXPECT_TRUE(bound::check_certificate(own, result.certificate).empty()) << i;
            EXPECT_LE(result.certificate.value, value(result)) << i;
            if (before != nullptr) { EXPECT_LE(value(result), value(*before->result)) << i; }
            SolveOptions alone = base;
            alone.stages = point.stages;
            alone.max_replicas = std::min(base.max_replicas, point.stages);
            const auto single = solve(own, alone, silent, limits);
            if (single) {
                EXPECT_LE(result.certificate.value, value(*single)) << i;
                EXPECT_GE(result.certificate.value, single->certificate.value) << i;
                helped += value(result)<value(*single), hindered += value(result)> value(*single);
            }
            before = &point;
        }
        const auto again = run(3);
        ASSERT_TRUE(again);
        for (std::size_t p = 0; p < points->size(); ++p) {
            ASSERT_EQ((*points)[p].result.has_value(), (*again)[p].result.has_value()) << i;
            if (!(*points)[p].result) continue;
            EXPECT_EQ((*points)[p].result->partition, (*again)[p].result->partition) << i;
            EXPECT_EQ((*points)[p].result->certificate, (*again)[p].result->certificate) << i;
        }
    }
    // A search from a good start can miss what one from scratch stumbles on (slicings are polished afterwards), but rarely.
    EXPECT_GT(helped, 20u);
    EXPECT_GT(helped, 4 * hindered);
}

TEST(Sweep, InterruptedKeepsThePointsSoFar) {
    RandomStream random(42);
    const cost::StageProblem problem = test::random_problem(random, {.min_operators = 30, .max_operators = 30});
    std::stop_source stop;
    SilentObserver silent;
    const std::vector<std::int64_t> stages{2, 3, 4, 5};
    const auto points = sweep(problem, stages, {},
                              [&](std::int64_t k) -> Observer& {
                                  if (k == 3) stop.request_stop();
                                  return silent;
                              },
                              {.deadline = {}, .evaluations = {}, .stop = stop.get_token()});
    ASSERT_TRUE(points);
    ASSERT_EQ(points->size(), 2u);
    EXPECT_TRUE((*points)[1].result) << "the plan for 2 stages is one for 3";
}

TEST(Sweep, WhatIsWrongForAllIsAnError) {
    RandomStream random(43);
    const cost::StageProblem problem = test::random_problem(random);
    SilentObserver silent;
    const std::vector<std::int64_t> stages{2, 3};
    SolveOptions options;
    options.method = "nonsense";
    const auto points = sweep(problem, stages, options, [&](std::int64_t) -> Observer& { return silent; }, {});
    ASSERT_FALSE(points);
    EXPECT_EQ(points.error().kind, DiagnosticKind::usage);
}

}  // namespace
}  // namespace sluice::solve
