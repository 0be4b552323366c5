// BRKGA: how many of each kind, what is counted, that cut-off changes nothing.
#include "sluice/inference/genetic.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "sluice/inference/orders.hpp"
#include "sluice/search/slice.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using inference::GeneticShares;
using inference::PlannerOptions;
using test::large_problem;

Result<inference::PlannerResult> run(const cost::StageProblem& problem, inference::GeneticSize size, const PlannerOptions& options,
                                     const Limits& limits = {}) {
    SilentObserver observer;
    return inference::plan_by_genetic(problem, size, options, observer, limits);
}

/// The algorithm as its papers state it, every fitness exact and nothing parallel.
Duration plain_brkga(const cost::StageProblem& problem, std::size_t population, std::size_t generations, const PlannerOptions& options) {
    struct Member {
        std::vector<std::uint32_t> keys;
        Duration fitness{0};
    };
    const std::size_t n = problem.node_count();
    const auto [elite, mutants] = inference::counts_of(options.genetic, population);
    search::Slicer slicer(problem);
    const auto fitness_of = [&](const std::vector<std::uint32_t>& keys) {
        std::vector<NodeId> order;
        std::vector<char> done(n);
        while (order.size() < n) {
            std::size_t best = n;
            for (std::size_t v = 0; v < n; ++v)
                if (!done[v] && std::ranges::all_of(problem.predecessors[v], [&](NodeId u) { return done[u.index()]; }) &&
                    (best == n || keys[v] < keys[best]))
                    best = v;
            done[best] = 1;
            order.emplace_back(best);
        }
        const auto partition = slicer.slice(order, {.stages = options.stages});
        return partition ? price(problem, *partition).bottleneck : Duration::max();
    };
    std::vector<Member> members(population), next(population);
    for (std::size_t g = 0; g < generations; ++g) {
        for (std::size_t i = 0; i < population; ++i) {
            if (g > 0 && i < elite) {
                next[i] = members[i];
                continue;
            }
            RandomStream random(options.seed, g * population + i);
            auto& keys = next[i].keys;
            keys.resize(n);
            if (g == 0 || i < elite + mutants) {
                for (auto& key : keys) key = static_cast<std::uint32_t>(random() >> 32);
            } else {
                const auto& better = members[random.below(elite)].keys;
                const auto& other = members[elite + random.below(population - elite)].keys;
                for (std::size_t v = 0; v < n; ++v) keys[v] = random.chance(options.genetic.bias) ? better[v] : other[v];
            }
            next[i].fitness = fitness_of(keys);
        }
        // The elite by fitness, the others by number: they are drawn from evenly.
        members.clear();
        std::vector<std::size_t> ranked(population);
        std::iota(ranked.begin(), ranked.end(), std::size_t{0});
        std::ranges::stable_sort(ranked, {}, [&](std::size_t i) { return next[i].fitness; });
        std::ranges::sort(ranked.begin() + static_cast<std::ptrdiff_t>(elite), ranked.end());
        for (std::size_t i : ranked) members.push_back(next[i]);
    }
    return members[0].fitness;
}

TEST(Genetic, CountsOfTheUsualShares) {
    EXPECT_EQ(inference::counts_of({}, 10).elite, 2u);
    EXPECT_EQ(inference::counts_of({}, 10).mutants, 2u);  // 1.5, to the nearest
    EXPECT_EQ(inference::counts_of({}, 100).elite, 20u);
    EXPECT_EQ(inference::counts_of({}, 100).mutants, 15u);
    EXPECT_EQ(inference::counts_of({.elite = 0.001, .mutants = 0.999, .bias = 0.5}, 10).elite, 1u);
    EXPECT_EQ(inference::counts_of({.elite = 0.999, .mutants = 0, .bias = 0.5}, 10).elite, 9u);
}

TEST(Genetic, SharesAreReadAndChecked) {
    const auto shares = inference::read_shares("bias=0.6,elite=0.25");
    ASSERT_TRUE(shares);
    EXPECT_EQ(shares->elite, 0.25);
    EXPECT_EQ(shares->mutants, 0.15);
    EXPECT_EQ(shares->bias, 0.6);
    for (const auto text : {"", "elite", "elite=", "elite=0", "elite=1", "mutants=-0.1", "mutants=1", "bias=1.1", "bias=nan",
                            "elite=0.9,mutants=0.2", "elite=0.1,elite=0.2", "elite=0.1,", "elite=0.1x", "best=0.2"}) {
        const auto refused = inference::read_shares(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().kind, DiagnosticKind::usage) << text;
    }
    const auto problem = large_problem(1, 10);
    EXPECT_FALSE(run(problem, {.population = 10, .generations = 10}, {.stages = 2, .genetic = {.elite = 2, .mutants = 0, .bias = 0.7}}));
}

/// An evaluation is a member of a generation.
TEST(Genetic, EvaluationsArePopulationTimesGenerations) {
    const auto problem = large_problem(2, 40);
    for (const auto& [name, count] : {std::pair{"brkga-100", 100}, std::pair{"brkga-10000", 10'000}}) {
        SilentObserver observer;
        const auto result = (*inference::find_planner(name))->plan(problem, {.stages = 4}, observer, {});
        ASSERT_TRUE(result);
        EXPECT_EQ(result->termination.evaluations, count);
        EXPECT_EQ(result->termination.reason, StopReason::finished);
    }
    for (std::int64_t limit : {1, 10, 11, 12, 13, 57, 99}) {
        const auto result =
            run(problem, {.population = 10, .generations = 10}, {.stages = 4}, {.deadline = {}, .evaluations = limit, .stop = {}});
        ASSERT_TRUE(result);
        EXPECT_EQ(result->termination.evaluations, limit);
        EXPECT_EQ(result->termination.reason, StopReason::evaluations);
    }
}

TEST(Genetic, CutOffChangesNothing) {
    for (std::uint64_t i = 0; i < 30; ++i) {
        const auto problem = large_problem(100 + i, 20 + 2 * i);
        const PlannerOptions options{
            .stages = 2 + static_cast<std::int64_t>(i % 5), .seed = i, .genetic = {.elite = 0.1 + 0.02 * double(i % 8)}};
        const auto result = run(problem, {.population = 40, .generations = 12}, options);
        ASSERT_TRUE(result);
        EXPECT_EQ(price(problem, result->partition).bottleneck, plain_brkga(problem, 40, 12, options)) << i;
    }
}

TEST(Genetic, SameSeedSamePlanAtAnyThreadCount) {
    const auto problem = large_problem(3, 150);
    for (std::uint64_t seed : {0, 1}) {
        const auto one = run(problem, {.population = 50, .generations = 8}, {.stages = 8, .seed = seed, .threads = 1});
        ASSERT_TRUE(one);
        for (int threads : {2, 8}) {
            const auto many = run(problem, {.population = 50, .generations = 8}, {.stages = 8, .seed = seed, .threads = threads});
            ASSERT_TRUE(many);
            EXPECT_EQ(one->partition, many->partition);
            EXPECT_EQ(one->winner, many->winner);
        }
    }
}

}  // namespace
}  // namespace sluice
