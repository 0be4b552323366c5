// What holds for bounds of any size: certified, below every plan, and no weaker with fewer devices.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/inference/registry.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

RC_GTEST_PROP(BoundProperty, CertifiedAndBelowEveryPlan, (std::uint64_t seed)) {
    RandomStream random(seed);
    testing::RandomProblemOptions options = testing::RandomProblemOptions::everything(120);
    options.min_operators = 20;
    options.largest_time = 1'000'000;
    options.largest_transfer = 1'000'000;
    options.largest_bytes = 1'000'000;
    const auto problem = testing::random_problem(random, options, 6);
    SilentObserver observer;
    for (const auto& bound : bound::bounds()) {
        if (bound.name == "mip" || bound.name == "superblocks") continue;        // not polynomial: tests/crosscheck has them
        const bool searches = bound.name == "exact-dp" || bound.name == "auto";  // as far as it is let, which may be further for some k
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
    const auto problem = testing::random_problem(random, testing::RandomProblemOptions::everything(40), 4);
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

}  // namespace
}  // namespace sluice
