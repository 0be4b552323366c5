// Bounds against the optimum over all acyclic partitions; certificates against the independent checker.
#include <gtest/gtest.h>

#include <map>
#include <string_view>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using test::first_of;
using test::PartitionOptimum;
using test::RandomProblemOptions;

struct TightnessCounts {
    std::size_t problems = 0, tight = 0;           // auto is the optimum
    std::map<std::string_view, std::size_t> best;  // kinds that are above combinatorial and no worse than any other
};

void check_bounds(const cost::StageProblem& problem, std::int64_t stages, TightnessCounts& counts) {
    const PartitionOptimum optimum(problem);
    SilentObserver observer;
    for (const std::int64_t replicas : {1, 2}) {
        const std::int64_t best = optimum.at(stages, replicas);
        std::map<std::string_view, std::int64_t> values;
        for (const auto& bound : bound::bounds()) {
            if (bound.name == "mip" || bound.name == "superblocks") continue;  // no part of auto; linear_program_test has them
            const auto result = bound.prove(problem, {.stages = stages, .max_replicas = replicas}, observer, {});
            ASSERT_TRUE(result) << result.error().message;
            const auto faults = bound::check_certificate(problem, result->certificate);
            ASSERT_TRUE(faults.empty()) << bound.name << ": " << first_of(faults);
            values[bound.name] = result->certificate.value.count();
            ASSERT_LE(values[bound.name], best) << bound.name << " with up to " << replicas << " replicas";
        }
        const std::int64_t most = values.at("auto");
        for (const auto& [name, value] : values) EXPECT_LE(value, most) << name;
        if (replicas > 1 || best == PartitionOptimum::kImpossible) continue;
        ++counts.problems;
        counts.tight += most == best;
        for (const auto& [name, value] : values) counts.best[name] += value == most && value > values.at("combinatorial");
    }
}

TEST(BoundCrosscheck, NeverAboveTheOptimum) {
    TightnessCounts counts;
    for (std::uint64_t i = 0; i < test::cases(6000) && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(11, i);
        const auto stages = random.between(1, 4);
        check_bounds(test::random_problem(random, {.max_operators = 7}, random.chance(0.7) ? stages : 0), stages, counts);
    }
    // Without these a bound of zero would pass.
    EXPECT_GT(counts.tight, counts.problems / 2);
    EXPECT_GT(counts.best["cut"], counts.problems / 10);
    EXPECT_GT(counts.best["chain"], counts.problems / 5);
    EXPECT_GT(counts.best["counting"], counts.problems / 20);
    EXPECT_GT(counts.best["covering"], counts.problems / 5);
}

TEST(BoundCrosscheck, NeverAboveTheOptimumWithEverything) {
    TightnessCounts counts;
    for (std::uint64_t i = 0; i < test::cases(5000) && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(12, i);
        const auto stages = random.between(1, 4);
        check_bounds(test::random_problem(random, RandomProblemOptions::everything(6), random.chance(0.5) ? stages : 0), stages, counts);
    }
    EXPECT_GT(counts.tight, counts.problems / 4);
    EXPECT_GT(counts.best["cut"], counts.problems / 20);
    EXPECT_GT(counts.best["chain"], counts.problems / 20);
}

TEST(BoundCrosscheck, OverlapWithSpill) {
    RandomProblemOptions options;
    options.max_operators = 6;
    options.overlap = 1;
    options.spill = 0.7;
    options.host_link = 0.5;
    TightnessCounts counts;
    for (std::uint64_t i = 0; i < test::cases(1500) && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(13, i);
        check_bounds(test::random_problem(random, options, 3), 3, counts);
    }
    EXPECT_GT(counts.best["cut"], counts.problems / 50);
}

}  // namespace
}  // namespace sluice
