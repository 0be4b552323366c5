#include "sluice/solve/compare.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/support/random_problem.hpp"

namespace sluice::solve {
namespace {

cost::StageProblem sample_problem() {
    RandomStream random(51);
    return test::random_problem(random, {.min_operators = 40, .max_operators = 40}, 4);
}

const inference::Planner& planner(std::string_view name) { return **inference::find_planner(name); }
const bound::Bound& bound_of(std::string_view name) { return **bound::find_bound(name); }

TEST(Compare, ARowHoldsWhatWasFound) {
    const auto problem = sample_problem();
    SolveOptions options;
    options.stages = 4;
    options.model = "m";
    SilentObserver silent;
    const MethodRow row = run_method(problem, planner("random"), options, {}, silent, {.deadline = {}, .evaluations = 5, .stop = {}});
    EXPECT_FALSE(row.failure);
    EXPECT_TRUE(cost::faults_of(problem, row.partition, 4).empty());
    EXPECT_EQ(row.cost.bottleneck, cost::price(problem, row.partition).bottleneck);
    EXPECT_EQ(row.termination.evaluations, 5);
    const BoundRow proof = run_bound(problem, bound_of("cut"), options, row.cost.bottleneck, silent, {});
    EXPECT_TRUE(proof.certified);
    EXPECT_GT(proof.bytes, 0u);
    EXPECT_EQ(proof.certificate->model, "m");
    // Told that the bound is reached, a planner goes no further.
    const MethodRow stopped = run_method(problem, planner("random"), options, row.cost.bottleneck * 1000, silent, {});
    EXPECT_EQ(stopped.termination.reason, StopReason::optimal);
    EXPECT_EQ(stopped.termination.evaluations, 1);
}

TEST(Compare, WhatFailsSaysWhy) {
    const auto problem = sample_problem();
    SolveOptions options;
    options.stages = 4;
    SilentObserver silent;
    const inference::Planner throws{"throws", "", "", false,
                                    [](const cost::StageProblem&, const inference::PlannerOptions&, Observer&,
                                       const Limits&) -> Result<inference::PlannerResult> { throw std::runtime_error("no more room"); }};
    const MethodRow threw = run_method(problem, throws, options, {}, silent, {});
    ASSERT_TRUE(threw.failure);
    EXPECT_NE(threw.failure->message.find("no more room"), std::string::npos);
    const inference::Planner lies{"lies", "", "", false,
                                  [](const cost::StageProblem&, const inference::PlannerOptions&, Observer&,
                                     const Limits&) -> Result<inference::PlannerResult> { return inference::PlannerResult{}; }};
    const MethodRow lied = run_method(problem, lies, options, {}, silent, {});
    ASSERT_TRUE(lied.failure);
    EXPECT_TRUE(lied.partition.stages.empty());
    // A bound that claims too much is not certified.
    const bound::Bound boasts{
        "boasts", "", "",
        [](const cost::StageProblem& p, const bound::BoundOptions& asked, Observer&, const Limits&) -> Result<bound::BoundResult> {
            return bound::BoundResult{.certificate = {.problem = p.fingerprint,
                                                      .model = {},
                                                      .stages = asked.stages,
                                                      .value = kLargestTotal,
                                                      .witness = bound::TotalWorkWitness{}},
                                      .termination = {}};
        }};
    const std::vector rows{run_bound(problem, boasts, options, {}, silent, {}),
                           run_bound(problem, bound_of("combinatorial"), options, {}, silent, {})};
    EXPECT_FALSE(rows[0].certified);
    EXPECT_TRUE(rows[0].failure);
    EXPECT_EQ(best_of(rows), &rows[1]);
    const std::vector methods{threw, lied};
    EXPECT_EQ(best_of(methods, cost::Objective::throughput), nullptr);
}

TEST(Compare, UsualMethodsLeaveOutWhatNeedsASmallModel) {
    const auto problem = sample_problem();
    for (const inference::Planner* usual : usual_methods(problem)) EXPECT_NE(usual->name, "brkga-10000");
    RandomStream random(52);
    for (const inference::Planner* usual : usual_methods(test::random_problem(random, {.min_operators = 300, .max_operators = 300})))
        EXPECT_FALSE(usual->exact) << usual->name;
}

}  // namespace
}  // namespace sluice::solve
