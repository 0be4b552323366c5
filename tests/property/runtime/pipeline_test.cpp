// Random pipelines run with sends that wait for their receives: nothing hangs, outputs are those of direct evaluation and in order.
#include "sluice/runtime/pipeline.hpp"

#include <gtest/gtest.h>

#include <format>

#include "sluice/program/check.hpp"
#include "sluice/program/lower.hpp"
#include "tests/support/random_problem.hpp"
#include "tests/support/run_program.hpp"

namespace sluice {
namespace {

void expect_equal_to_direct_evaluation(const program::Program& program, RandomStream& random, bool synchronous, bool deliver) {
    const std::int64_t inputs = random.chance(0.1) ? 0 : random.between(1, 40);
    test::CheckingHost host(program, inputs, deliver);
    runtime::PipelineOptions options;
    options.deliver = deliver;
    const auto outcome = run_program(program, host, {.synchronous_sends = synchronous}, options);
    ASSERT_TRUE(outcome.host) << to_text(outcome.host.error());
    EXPECT_EQ(outcome.host->inputs, inputs);
    EXPECT_EQ(host.collected(), program.lists[1].body.empty() ? 0 : inputs);  // a random graph need not have an output
    EXPECT_EQ(host.faults, "");
    for (const auto& list : program.lists) {
        if (list.role != program::Role::stage) continue;
        const auto& stage = outcome.stages[static_cast<std::size_t>(list.rank - 1)];
        ASSERT_TRUE(stage) << to_text(stage.error());
        EXPECT_EQ(stage->inputs, (inputs - list.first + list.stride - 1) / list.stride) << "rank " << list.rank;
    }
}

/// A random graph, cut at random, stages replicated at random, lowered: skip connections, diamonds, tensors that several stages read, model
/// inputs read late. Nothing when a stage reads nothing, which run_stage refuses.
std::optional<program::Program> random_plan(RandomStream& random) {
    test::RandomProblemOptions options;
    options.max_operators = 40;
    options.largest_bytes = 300;
    options.overlap = options.replicated = 0.3;
    const graph::Graph graph = test::random_graph(random, options);
    const auto frozen = cost::freeze(graph, test::random_platform(graph, random, options), 100);
    if (!frozen) throw std::runtime_error(to_text(frozen.error()));
    cost::Partition partition = test::random_partition(frozen->problem, 1 + random.below(8), random);
    for (cost::Stage& stage : partition.stages) {
        stage.device = ClassId(0);
        if (random.chance(0.3)) stage.replicas = random.between(2, 4);
    }
    auto program = program::lower(graph, frozen->problem, partition);
    if (!program) throw std::runtime_error(to_text(program.error()));
    if (const auto faults = program::faults_of(*program); !faults.empty()) throw std::runtime_error(to_text(faults.front()));
    for (const program::InstructionList& list : program->lists)
        if (list.role == program::Role::stage && list.body.front().kind != program::InstructionKind::receive) return std::nullopt;
    return *std::move(program);
}

TEST(PipelineProperty, TwoHundredRandomPlansWithSynchronousSendsEqualDirectEvaluation) {
    std::size_t ran = 0, ranks = 0, skips = 0, replicated = 0;
    for (std::uint64_t seed = 0; ran < 200; ++seed) {
        SCOPED_TRACE(std::format("seed {}", seed));
        RandomStream random(seed);
        const auto program = random_plan(random);
        if (!program) continue;
        ++ran;
        ranks += static_cast<std::size_t>(program->ranks);
        for (const program::Channel& channel : program->channels) skips += channel.credits > 2;
        for (const program::Stage& stage : program->stages) replicated += stage.replicas > 1;
        expect_equal_to_direct_evaluation(*program, random, true, true);
        if (HasFatalFailure()) return;
    }
    // The plans are not trivial ones.
    EXPECT_GT(ranks, 600U);
    EXPECT_GT(skips, 100U);
    EXPECT_GT(replicated, 100U);
}

/// Credits and slots of any size: what lowering never makes and a program by hand may.
TEST(PipelineProperty, TwoHundredProgramsByHandToo) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SCOPED_TRACE(std::format("seed {}", seed));
        RandomStream random(seed);
        const program::Program program = test::random_program(random);
        ASSERT_TRUE(program::faults_of(program).empty());
        expect_equal_to_direct_evaluation(program, random, true, true);
        if (HasFatalFailure()) return;
    }
}

TEST(PipelineProperty, AlsoWithBufferedSendsAndWithoutDelivery) {
    for (std::uint64_t seed = 1000; seed < 1100; ++seed) {
        SCOPED_TRACE(std::format("seed {}", seed));
        RandomStream random(seed);
        const program::Program program = test::random_program(random);
        expect_equal_to_direct_evaluation(program, random, seed % 4 < 2, seed % 2 == 0);
        if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace sluice
