// Random pipelines run with sends that wait for their receives: nothing hangs, outputs are those of direct evaluation and in order.
#include "sluice/runtime/pipeline.hpp"

#include <gtest/gtest.h>

#include <format>

#include "tests/support/run_program.hpp"

namespace sluice {
namespace {

void expect_equal_to_direct_evaluation(std::uint64_t seed, bool synchronous, bool deliver) {
    SCOPED_TRACE(std::format("seed {}", seed));
    RandomStream random(seed);
    const program::Program program = testing::random_program(random);
    const std::int64_t inputs = random.chance(0.1) ? 0 : random.between(1, 40);
    testing::CheckingHost host(program, inputs, deliver);
    runtime::PipelineOptions options;
    options.deliver = deliver;
    const auto outcome = run_program(program, host, {.synchronous_sends = synchronous}, options);
    ASSERT_TRUE(outcome.host) << to_text(outcome.host.error());
    EXPECT_EQ(outcome.host->inputs, inputs);
    EXPECT_EQ(host.collected(), inputs);
    EXPECT_EQ(host.faults, "");
    for (const auto& list : program.lists) {
        if (list.role != program::Role::stage) continue;
        const auto& stage = outcome.stages[static_cast<std::size_t>(list.rank - 1)];
        ASSERT_TRUE(stage) << to_text(stage.error());
        EXPECT_EQ(stage->inputs, (inputs - list.first + list.stride - 1) / list.stride) << "rank " << list.rank;
    }
}

TEST(PipelineProperty, TwoHundredRandomPipelinesWithSynchronousSendsEqualDirectEvaluation) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        expect_equal_to_direct_evaluation(seed, true, true);
        if (HasFatalFailure()) return;
    }
}

TEST(PipelineProperty, AlsoWithBufferedSends) {
    for (std::uint64_t seed = 1000; seed < 1100; ++seed) {
        expect_equal_to_direct_evaluation(seed, false, seed % 2 == 0);
        if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace sluice
