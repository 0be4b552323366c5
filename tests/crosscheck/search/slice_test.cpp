// The slice DP against every way to cut the order.
#include "sluice/search/slice.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/brute_force.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using search::Slicer;
using test::RandomProblemOptions;

void expect_optimal(const cost::StageProblem& problem, const std::vector<NodeId>& order, std::int64_t stages, RandomStream& random,
                    std::int64_t replicas = 1) {
    const auto expected = test::best_cut_of_order(problem, order, stages, replicas);
    ASSERT_TRUE(search::sliceable(problem, stages, replicas));
    Slicer slicer(problem);
    const auto found = slicer.slice(order, {.stages = stages, .max_replicas = replicas});
    ASSERT_EQ(found.has_value(), expected.has_value());
    const auto rough = slicer.longest_segments(order, stages);
    if (rough) {
        EXPECT_TRUE(cost::faults_of(problem, *rough, stages).empty());
    } else {
        const bool promised = problem.classes.size() == 1 && problem.classes[0].overflow != cost::Overflow::hard;
        EXPECT_FALSE(expected && promised) << "one class without a hard limit: longest segments find a slicing";
    }
    if (!found) return;
    const auto faults = cost::faults_of(problem, *found, stages);
    ASSERT_TRUE(faults.empty()) << faults.front().message;
    EXPECT_EQ(cost::price(problem, *found).bottleneck, *expected);
    for (const cost::Stage& stage : found->stages) EXPECT_LE(stage.replicas, replicas);

    // The same scratch, other questions.
    EXPECT_FALSE(slicer.slice(order, {.stages = stages, .max_replicas = replicas, .below = *expected})) << "nothing is below the optimum";
    const Duration above = *expected + Duration{1 + static_cast<std::int64_t>(random.below(20))};
    const auto below = slicer.slice(order, {.stages = stages, .max_replicas = replicas, .below = above});
    ASSERT_TRUE(below);
    EXPECT_EQ(cost::price(problem, *below).bottleneck, *expected);
    const auto enough = slicer.slice(order, {.stages = stages, .max_replicas = replicas, .at_least = *expected});
    ASSERT_TRUE(enough);
    EXPECT_EQ(cost::price(problem, *enough).bottleneck, *expected);
}

TEST(SliceCrosscheck, EqualsBruteForceWhereTheProofsHold) {
    for (std::uint64_t i = 0; i < 5000 && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(1, i);
        const auto stages = random.between(1, 5);
        const auto problem = test::random_problem(random, {.max_operators = 10}, random.chance(0.8) ? stages : 0);
        expect_optimal(problem, test::random_order(problem, random), stages, random);
    }
}

TEST(SliceCrosscheck, EqualsBruteForceWithEverything) {
    for (std::uint64_t i = 0; i < 5000 && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(2, i);
        const auto stages = random.between(1, 4);
        const auto problem = test::random_problem(random, RandomProblemOptions::everything(8), random.chance(0.5) ? stages : 0);
        expect_optimal(problem, test::random_order(problem, random), stages, random);
    }
}

/// Of equal bottlenecks the fewest devices: no slicing on fewer is as good.
void expect_fewest(const cost::StageProblem& problem, const std::vector<NodeId>& order, std::int64_t stages, std::int64_t replicas) {
    const auto found = Slicer(problem).slice(order, {.stages = stages, .max_replicas = replicas});
    if (!found) return;
    std::int64_t devices = 0;
    for (const cost::Stage& stage : found->stages) devices += stage.replicas;
    if (devices == 1) return;
    const auto fewer = test::best_cut_of_order(problem, order, devices - 1, replicas);
    EXPECT_TRUE(!fewer || *fewer > cost::price(problem, *found).bottleneck);
}

TEST(SliceCrosscheck, ReplicasEqualBruteForce) {
    std::size_t replicated = 0;
    for (std::uint64_t i = 0; i < 4000 && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(4, i);
        const auto stages = random.between(1, 6);
        const auto replicas = random.between(1, 4);
        const auto problem = test::random_problem(random, {.max_operators = 6}, stages);
        const auto order = test::random_order(problem, random);
        expect_optimal(problem, order, stages, random, replicas);
        expect_fewest(problem, order, stages, replicas);
        const auto found = Slicer(problem).slice(order, {.stages = stages, .max_replicas = replicas});
        replicated += std::ranges::any_of(found->stages, [](const cost::Stage& stage) { return stage.replicas > 1; });
    }
    EXPECT_GT(replicated, 1000u);
}

TEST(SliceCrosscheck, ReplicasOfSeveralClassesEqualBruteForce) {
    RandomProblemOptions options = RandomProblemOptions::everything(5);
    options.classes = 0.8;
    options.mixed = 0.5;
    std::size_t both = 0;
    for (std::uint64_t i = 0; i < 4000 && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(5, i);
        const auto stages = random.between(1, 5);
        const auto replicas = random.between(1, 3);
        const auto problem = test::random_problem(random, options, random.chance(0.5) ? stages : 0);
        const auto order = test::random_order(problem, random);
        expect_optimal(problem, order, stages, random, replicas);
        const auto found = Slicer(problem).slice(order, {.stages = stages, .max_replicas = replicas});
        if (!found) continue;
        const auto replicated_on = [&](std::size_t c) {
            return std::ranges::any_of(found->stages,
                                       [&](const cost::Stage& stage) { return stage.device.index() == c && stage.replicas > 1; });
        };
        both += problem.classes.size() == 2 && (replicated_on(0) || replicated_on(1)) && found->stages.size() > 1;
    }
    EXPECT_GT(both, 100u);
}

TEST(SliceCrosscheck, HardMemoryAndClasses) {
    RandomProblemOptions options = RandomProblemOptions::everything(8);
    options.spill = 0;
    options.hard = 1;
    options.classes = 0.6;
    std::size_t feasible = 0;
    for (std::uint64_t i = 0; i < 2000 && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(3, i);
        const auto problem = test::random_problem(random, options);
        const auto order = test::random_order(problem, random);
        expect_optimal(problem, order, 4, random);
        feasible += Slicer(problem).slice(order, {.stages = 4}).has_value();
    }
    EXPECT_GT(feasible, 200u) << "the limits must not make everything infeasible";
    EXPECT_LT(feasible, 1800u) << "nor leave everything feasible";
}

}  // namespace
}  // namespace sluice
