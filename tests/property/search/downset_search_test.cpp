#include "sluice/search/downset_engine.hpp"

#include <gtest/gtest.h>

#include "tests/support/brute_force.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::search {
namespace {

using Index = SerialProblem::Index;

struct DownsetCase {
    cost::StageProblem problem;
    SerialProblem serial;
    std::int64_t optimum;
};

/// A random problem that is serial as it is, and its optimum by brute force.
DownsetCase make_case(std::uint64_t seed, bool merged) {
    RandomStream random(seed, 11);
    test::RandomProblemOptions options;
    options.max_operators = 9;
    options.largest_transfer = 2 + static_cast<std::int64_t>(seed % 13);
    const std::int64_t stages = random.between(1, 5), replicas = random.chance(0.3) ? random.between(2, 3) : 1;
    cost::StageProblem problem = test::random_problem(random, options, stages);
    SerialProblem serial = *relax_to_serial(problem, stages, replicas);
    EXPECT_TRUE(serial.exact);
    const std::int64_t optimum = test::PartitionOptimum(problem).at(stages, replicas);
    if (merged) serial = merge_safely(std::move(serial));
    return {std::move(problem), std::move(serial), optimum};
}

std::vector<ChainOfCuts> chains_of(const SerialProblem& problem) {
    std::vector<ChainOfCuts> chains;
    const auto order = heavy_cone_order(problem), mirrored = heavy_cone_order(problem, true);
    chains.push_back(*ChainOfCuts::build(problem, order, 0, {}));
    chains.push_back(*ChainOfCuts::build(problem, mirrored, 0, {}));
    chains.push_back(*ChainOfCuts::build(problem, mirrored, 0, {}, true));
    if (problem.spills)
        for (std::int64_t theta : {1, 2}) chains.push_back(*ChainOfCuts::build(problem, order, theta, {}));
    return chains;
}

class DownsetSearch : public ::testing::TestWithParam<bool> {};

TEST_P(DownsetSearch, FindsAPartitionExactlyFromTheOptimumOn) {
    for (std::uint64_t seed = 0; seed < 1500; ++seed) {
        const DownsetCase c = make_case(seed, seed % 2 != 0);
        std::vector<ChainOfCuts> chains;
        if (GetParam()) chains = chains_of(c.serial);
        for (std::int64_t threshold : {c.optimum - 1, c.optimum, c.optimum + 3}) {
            const auto result = search_downsets(c.serial, {.threshold = threshold, .chains = chains, .counting = GetParam()}, {});
            ASSERT_EQ(result.outcome, threshold >= c.optimum ? DownsetOutcome::found : DownsetOutcome::refuted)
                << "seed " << seed << " threshold " << threshold << " optimum " << c.optimum;
            if (result.outcome != DownsetOutcome::found) continue;
            const auto partition = to_partition(c.serial, c.problem, result.stages, result.replicas);
            ASSERT_TRUE(cost::faults_of(c.problem, partition, c.serial.devices).empty()) << "seed " << seed;
            ASSERT_LE(cost::price(c.problem, partition).bottleneck.count(), threshold) << "seed " << seed;
        }
    }
}
INSTANTIATE_TEST_SUITE_P(TablesOffAndOn, DownsetSearch, ::testing::Bool());

TEST(DownsetBeam, NeverClaimsAProofItDoesNotHave) {
    std::size_t missed = 0;
    for (std::uint64_t seed = 0; seed < 600; ++seed) {
        const DownsetCase c = make_case(seed, false);
        const DownsetOptions options{.threshold = c.optimum, .counting = false, .states_per_level = 1, .nodes_per_state = 12};
        const auto result = search_downsets(c.serial, options, {});
        ASSERT_NE(result.outcome, DownsetOutcome::refuted) << "seed " << seed;
        missed += result.outcome == DownsetOutcome::missed;
    }
    EXPECT_GT(missed, 0u);
}

TEST(DownsetEngine, JudgedSearchIsExactWhateverTheObjective) {
    for (std::uint64_t seed = 0; seed < 800; ++seed) {
        RandomStream random(seed, 12);
        auto options = test::RandomProblemOptions::everything(7);
        const std::int64_t stages = random.between(1, 4), replicas = random.between(1, 2);
        const cost::StageProblem problem = test::random_problem(random, options, stages);
        const std::int64_t optimum = test::PartitionOptimum(problem).at(stages, replicas);
        if (optimum == test::PartitionOptimum::kImpossible) continue;
        // Of a hard memory the brute force knows parameters only: a bound, not the optimum.
        const bool hard = std::ranges::any_of(problem.classes, [](const auto& c) { return c.overflow == cost::Overflow::hard; });
        const auto engine = DownsetEngine::build(problem, {.stages = stages, .max_replicas = replicas, .judged = true}, {});
        if (!engine) continue;
        for (std::int64_t threshold : {optimum - 1, optimum}) {
            const auto attempt = engine->attempt(Duration{threshold}, {}, {});
            if (threshold < optimum || !hard) {
                ASSERT_EQ(attempt.outcome, threshold < optimum ? DownsetOutcome::refuted : DownsetOutcome::found) << "seed " << seed;
            }
            if (attempt.outcome != DownsetOutcome::found) continue;
            ASSERT_TRUE(cost::faults_of(problem, attempt.partition, stages).empty()) << "seed " << seed;
            ASSERT_EQ(cost::price(problem, attempt.partition).bottleneck.count(), optimum) << "seed " << seed;
        }
    }
}

TEST(DownsetSearchThreads, MakeNoDifference) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const DownsetCase c = make_case(seed, true);
        for (std::int64_t threshold : {c.optimum - 1, c.optimum}) {
            const DownsetOptions one{.threshold = threshold, .counting = false, .witness = true};
            DownsetOptions many = one;
            many.threads = 8;
            const auto a = search_downsets(c.serial, one, {}), b = search_downsets(c.serial, many, {});
            EXPECT_EQ(a.stages, b.stages);
            EXPECT_EQ(a.kept, b.kept);
            EXPECT_EQ(a.nodes, b.nodes);
        }
    }
}

TEST(DownsetSearchLimits, AreKept) {
    std::size_t limited = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const DownsetCase c = make_case(seed, false);
        const auto outcome = search_downsets(c.serial, {.threshold = c.optimum - 1, .counting = false, .nodes = 1}, {}).outcome;
        EXPECT_TRUE(outcome == DownsetOutcome::too_large || outcome == DownsetOutcome::refuted) << seed;
        limited += outcome == DownsetOutcome::too_large;
    }
    EXPECT_GT(limited, 0u);
    const DownsetCase c = make_case(7, false);
    std::stop_source stop;
    stop.request_stop();
    const Limits limits{.deadline = {}, .evaluations = {}, .stop = stop.get_token()};
    EXPECT_EQ(search_downsets(c.serial, {.threshold = c.optimum - 1, .counting = false}, limits).outcome, DownsetOutcome::stopped);
}

}  // namespace
}  // namespace sluice::search
