// What holds for bounds of any size: certified, below every plan, no weaker with fewer devices, and blind to names.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/inference/registry.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/random_problem.hpp"
#include "tests/support/renumbered.hpp"

namespace sluice {
namespace {

RC_GTEST_PROP(BoundProperty, CertifiedAndBelowEveryPlan, (std::uint64_t seed)) {
    RandomStream random(seed);
    test::RandomProblemOptions options = test::RandomProblemOptions::everything(120);
    options.min_operators = 20;
    options.largest_time = 1'000'000;
    options.largest_transfer = 1'000'000;
    options.largest_bytes = 1'000'000;
    const auto problem = test::random_problem(random, options, 6);
    SilentObserver observer;
    for (const auto& bound : bound::bounds()) {
        if (bound.name == "mip" || bound.name == "superblocks") continue;  // not polynomial: tests/crosscheck has them
        // As far as they are let, which may be further for some k.
        const bool searches = bound.name == "exact-dp" || bound.name == "covering" || bound.name == "auto";
        Limits limits;
        if (searches) limits.evaluations = 20;
        std::int64_t last = kLargestTotal.count();
        for (std::int64_t stages : {1, 3, 6}) {
            const auto result = bound.prove(problem, {.stages = stages}, observer, limits);
            RC_ASSERT(result.has_value());
            RC_ASSERT(bound::check_certificate(problem, result->certificate).empty());
            const std::int64_t value = result->certificate.value.count();
            RC_ASSERT(searches || value <= last + last / 512);  // bisections stop short of what they could prove, by less than that
            last = value;
            // It may be that no plan exists or none is found: hard memory, scarce classes.
            const auto plan = inference::find_planner("auto").value()->plan(problem, {.stages = stages}, observer,
                                                                            {.deadline = {}, .evaluations = 8, .stop = {}});
            if (plan) RC_ASSERT(value <= price(problem, plan->partition).bottleneck.count());
        }
    }
}

RC_GTEST_PROP(BoundProperty, FileAndBack, (std::uint64_t seed)) {
    RandomStream random(seed);
    const auto problem = test::random_problem(random, test::RandomProblemOptions::everything(40), 4);
    SilentObserver observer;
    for (const auto& bound : bound::bounds()) {
        Limits limits;
        if (bound.name == "mip" || bound.name == "superblocks") limits.evaluations = 8;  // these search trees
        const auto result = bound.prove(problem, {.stages = 4}, observer, limits);
        RC_ASSERT(result.has_value());
        const auto document = json::parse(to_json_text(result->certificate, true), "certificate.json");
        RC_ASSERT(document.has_value());
        const auto again = bound::read_certificate(*document);
        RC_ASSERT(again.has_value());
        RC_ASSERT(*again == result->certificate);
        RC_ASSERT(bound::check_certificate(problem, *again).empty());
    }
}

TEST(BoundProperty, NamesMakeNoDifference) {
    for (std::uint64_t seed = 0; seed < test::cases(60); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(71, seed);
        const auto options = test::RandomProblemOptions::everything(16);
        const graph::Graph graph = test::random_graph(random, options);
        const auto platform = test::random_platform(graph, random, options);
        const auto named = cost::freeze(graph, platform, 3), otherwise = cost::freeze(test::renamed(graph), platform, 3);
        ASSERT_TRUE(named && otherwise);
        SilentObserver observer;
        for (const auto& bound : bound::bounds()) {
            Limits limits;
            if (bound.name == "mip" || bound.name == "superblocks") limits.evaluations = 8;  // these search trees
            const auto one = bound.prove(named->problem, {.stages = 3}, observer, limits);
            const auto other = bound.prove(otherwise->problem, {.stages = 3}, observer, limits);
            ASSERT_TRUE(one && other);
            EXPECT_EQ(one->certificate, other->certificate) << bound.name;
        }
        if (HasFailure()) return;
    }
}

/// Chains and counting follow an order or merge by numbers, so what they prove may differ; these may not. Nor may the optimum, where no
/// hard memory makes the order of execution matter.
TEST(BoundProperty, NumbersMakeNoDifferenceToOrderFreeKinds) {
    std::size_t moved = 0, above = 0;
    for (std::uint64_t seed = 0; seed < test::cases(400); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(72, seed);
        auto options = test::RandomProblemOptions::everything(14);
        options.hard = options.mixed = 0;
        const graph::Graph graph = test::random_graph(random, options);
        const auto platform = test::random_platform(graph, random, options);
        const auto numbered = cost::freeze(graph, platform, 4), otherwise = cost::freeze(test::renumbered(graph, random), platform, 4);
        ASSERT_TRUE(numbered && otherwise);
        const cost::StageProblem &problem = numbered->problem, &again = otherwise->problem;
        moved += problem.fingerprint != again.fingerprint;
        SilentObserver observer;
        for (const std::int64_t stages : {2, 4}) {
            std::int64_t largest = 0;
            for (const char* kind : {"combinatorial", "cut", "exact-dp"}) {
                const auto& bound = *bound::find_bound(kind).value();
                const auto one = bound.prove(problem, {.stages = stages}, observer, {});
                const auto other = bound.prove(again, {.stages = stages}, observer, {});
                ASSERT_TRUE(one && other);
                EXPECT_EQ(one->certificate.value, other->certificate.value) << kind;
                above += one->certificate.value.count() > largest;
                largest = std::max(largest, one->certificate.value.count());
            }
            const auto& exact = *inference::find_planner("exact").value();
            const auto one = exact.plan(problem, {.stages = stages}, observer, {});
            const auto other = exact.plan(again, {.stages = stages}, observer, {});
            ASSERT_EQ(one.has_value(), other.has_value());  // scarce classes may leave none
            if (one) { EXPECT_EQ(price(problem, one->partition).bottleneck, price(again, other->partition).bottleneck); }
        }
        if (HasFailure()) return;
    }
    // The draws tell the kinds apart, and one order from another.
    EXPECT_GT(moved, test::cases(400) * 3 / 4);
    EXPECT_GT(above, test::cases(400) * 2);
}

}  // namespace
}  // namespace sluice
