// The objective latency against every acyclic partition of tiny problems: bounds never above the optimum, plans never below, both as good
// as they should be; what the objectives promise each other.
#include <gtest/gtest.h>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/solve/solve.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using cost::Objective;
using test::RandomProblemOptions;

struct LatencySeen {
    int plans = 0, optimal = 0, tight = 0, parallel = 0, replicated = 0;
};

void check(const cost::StageProblem& problem, std::int64_t stages, std::int64_t replicas, bool hard, LatencySeen& seen) {
    const auto optimum = test::least_latency(problem, stages);
    SilentObserver silent;
    for (const bound::Bound& method : bound::bounds()) {
        Limits limits;
        if (method.name == "mip" || method.name == "superblocks") limits.evaluations = 8;  // these search trees
        const auto proven = method.prove(problem, {.stages = stages, .objective = Objective::latency}, silent, limits);
        ASSERT_TRUE(proven) << proven.error().message;
        bound::Certificate certificate = proven->certificate;
        certificate.objective = Objective::latency;
        const auto objections = bound::check_certificate(problem, certificate);
        ASSERT_TRUE(objections.empty()) << method.name << ": " << objections.front().message;
        if (optimum && !hard) { ASSERT_LE(certificate.value, *optimum) << method.name; }
    }
    solve::SolveOptions options;
    options.stages = stages;
    options.max_replicas = replicas;
    options.objective = Objective::latency;
    const Limits limits{.deadline = {}, .evaluations = 40, .stop = {}};
    const auto result = solve::solve(problem, options, silent, limits);
    if (!result) {
        EXPECT_TRUE(hard || !optimum || problem.classes.size() > 1) << result.error().message;
        return;
    }
    ASSERT_TRUE(result->warnings.empty()) << result->warnings[0].message;
    EXPECT_TRUE(result->certified);
    EXPECT_EQ(result->certificate.objective, Objective::latency);
    EXPECT_TRUE(cost::faults_of(problem, result->partition, stages).empty());
    for (const cost::Stage& stage : result->partition.stages) EXPECT_LE(stage.replicas, replicas);
    EXPECT_LE(result->certificate.value, result->cost.latency);
    if (!optimum) return;
    EXPECT_TRUE(hard || result->cost.latency >= *optimum);
    ++seen.plans;
    seen.optimal += result->cost.latency <= *optimum;
    seen.tight += result->certificate.value == *optimum;
    seen.replicated += std::ranges::any_of(result->partition.stages, [](const cost::Stage& stage) { return stage.replicas > 1; });
    std::int64_t sum = 0;
    for (const cost::StageTerms& terms : result->cost.stages) sum += cost::stage_time(problem.model, terms).count();
    seen.parallel += result->cost.latency.count() < sum;

    // What comes second there comes first here, and no plan for latency has a better bottleneck than the bound of that one.
    options.objective = Objective::throughput;
    const auto other = solve::solve(problem, options, silent, limits);
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_EQ(other->certificate.objective, Objective::throughput);
    EXPECT_LE(other->certificate.value, result->cost.bottleneck);
    EXPECT_GE(other->cost.latency, result->certificate.value);
}

TEST(Latency, PlansAndBoundsAroundTheOptimum) {
    LatencySeen seen;
    for (std::uint64_t i = 0; i < test::cases(1500) && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(61, i);
        RandomProblemOptions options;
        options.max_operators = 6;
        options.largest_transfer = random.chance(0.5) ? 2 : 10;
        const auto stages = random.between(1, 4);
        const auto problem = test::random_problem(random, options, stages);
        check(problem, stages, random.between(1, 3), false, seen);
    }
    RecordProperty("optimal", std::to_string(seen.optimal) + " of " + std::to_string(seen.plans));
    RecordProperty("tight", std::to_string(seen.tight));
    // Without these a planner of any plan, or a bound of zero, would pass.
    EXPECT_GT(seen.optimal, seen.plans * 9 / 10);
    EXPECT_GT(seen.tight, seen.plans / 4);
    EXPECT_GT(seen.parallel, seen.plans / 20);
    EXPECT_GT(seen.replicated, seen.plans / 10);
}

TEST(Latency, WithEverything) {
    LatencySeen seen;
    for (std::uint64_t i = 0; i < test::cases(1000) && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(62, i);
        RandomProblemOptions options = RandomProblemOptions::everything(5);
        options.largest_transfer = random.chance(0.5) ? 2 : 10;
        const auto stages = random.between(1, 4);
        const auto problem = test::random_problem(random, options, random.chance(0.5) ? stages : 0);
        const bool hard = std::ranges::any_of(problem.classes, [](const auto& device) { return device.overflow == cost::Overflow::hard; });
        check(problem, stages, random.between(1, 3), hard, seen);
    }
    RecordProperty("optimal", std::to_string(seen.optimal) + " of " + std::to_string(seen.plans));
    EXPECT_GT(seen.optimal, seen.plans * 8 / 10);
    EXPECT_GT(seen.tight, seen.plans / 5);
    EXPECT_GT(seen.parallel, seen.plans / 40);
}

TEST(Latency, SamePlanAtAnyThreadCount) {
    RandomProblemOptions large = RandomProblemOptions::everything(80);
    large.min_operators = 40;
    for (std::uint64_t i = 0; i < 20; ++i) {
        SCOPED_TRACE(i);
        RandomStream random(63, i);
        const auto problem = test::random_problem(random, large, 6);
        for (const Objective objective : cost::kObjectives) {
            solve::SolveOptions options;
            options.stages = 6;
            options.max_replicas = 2;
            options.objective = objective;
            SilentObserver silent;
            const Limits limits{.deadline = {}, .evaluations = 30, .stop = {}};
            const auto one = solve::solve(problem, options, silent, limits);
            options.threads = 3;
            const auto three = solve::solve(problem, options, silent, limits);
            ASSERT_EQ(one.has_value(), three.has_value());
            if (!one) continue;
            EXPECT_EQ(one->partition, three->partition);
            EXPECT_EQ(one->certificate, three->certificate);
            EXPECT_EQ(one->winner, three->winner);
        }
    }
}

}  // namespace
}  // namespace sluice
