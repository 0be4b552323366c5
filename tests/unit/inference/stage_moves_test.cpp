// Moves on partitions: what is kept up to date equals what the definition says, whatever was moved or taken back.
#include "sluice/inference/stage_moves.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sluice/inference/walk.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using inference::StageMoves;

void expect_as_defined(const cost::StageProblem& problem, const StageMoves& moves) {
    std::vector<std::vector<NodeId>> stages(moves.stage_count());
    for (std::size_t v = 0; v < problem.node_count(); ++v) stages[moves.stage_of(NodeId(v))].emplace_back(v);
    const auto partition = moves.partition();
    EXPECT_TRUE(std::ranges::none_of(cost::faults_of(problem, partition, 0), [](const Diagnostic& fault) {
        return fault.message.contains("cycle") || fault.message.contains("before") || fault.message.contains("in no stage");
    }));
    std::size_t filled = 0;
    for (std::size_t s = 0; s < stages.size(); ++s) {
        if (stages[s].empty()) {
            EXPECT_EQ(moves.terms(s).in + moves.terms(s).out + moves.terms(s).work + moves.terms(s).spill, Duration{0});
            EXPECT_EQ(moves.terms(s).parameters, Bytes{});
            continue;
        }
        const auto& stage = partition.stages[filled++];
        auto terms = cost::stage_terms(problem, stages[s], stage.device);
        terms.peak = moves.terms(s).peak;
        EXPECT_EQ(moves.terms(s), terms);
        const std::int64_t time = stage_time(problem.model, terms).count();
        EXPECT_EQ(moves.time(s).count(), (time + stage.replicas - 1) / stage.replicas);
        for (NodeId node : stages[s]) {
            const bool listed = std::ranges::find(moves.border(s), node) != moves.border(s).end();
            EXPECT_EQ(listed, moves.can_go_up(node) || moves.can_go_down(node));
        }
    }
    EXPECT_EQ(filled, partition.stages.size());
}

TEST(StageMoves, TermsAreThoseOfTheDefinitionAfterManyMoves) {
    std::int64_t made = 0, kept = 0;
    for (std::uint64_t i = 0; made < 200'000; ++i) {
        RandomStream random(1, i);
        const auto problem = test::random_problem(random, test::RandomProblemOptions::everything(60), 6);
        auto start = test::random_partition(problem, 5, random);
        for (auto& stage : start.stages) stage.replicas = random.between(1, 2);
        if (std::ranges::any_of(start.stages, [&](const cost::Stage& stage) {
                return std::ranges::any_of(stage.nodes,
                                           [&](NodeId v) { return !problem.classes[stage.device.index()].supported.contains(v.index()); });
            }))
            continue;
        StageMoves moves(problem);
        moves.assign(start, 6);
        expect_as_defined(problem, moves);
        for (int batch = 0; batch < 400; ++batch) {
            for (std::size_t count = 1 + random.below(5); count-- > 0;) {
                const NodeId node(random.below(problem.node_count()));
                const auto range = moves.range_of(node);
                const std::size_t to = range.low + random.below(range.high - range.low + 1);
                if (to == moves.stage_of(node) || !moves.supported(node, to)) continue;
                moves.move(node, to);
                ++made;
            }
            const bool keep = random.chance(0.6);
            if (keep)
                moves.keep(), ++kept;
            else
                moves.take_back();
            if (batch % 40 == 39) expect_as_defined(problem, moves);
            if (::testing::Test::HasFailure()) FAIL() << "problem " << i;
        }
    }
    EXPECT_GT(kept, 1000);
}

TEST(StageMoves, NothingIsLostInAHundredThousandMovesOfOnePartition) {
    for (std::uint64_t i = 0; i < 4; ++i) {
        SCOPED_TRACE(i);
        RandomStream random(3, i);
        auto options = test::RandomProblemOptions::everything(600);
        options.min_operators = 300;
        options.largest_time = options.largest_transfer = options.largest_bytes = 1'000'000;
        options.classes = 0;  // so that any stage takes any node
        const auto problem = test::random_problem(random, options, 12);
        StageMoves moves(problem);
        moves.assign(test::random_partition(problem, 10, random), 12);
        for (int made = 0; made < 100'000;) {
            const NodeId node(random.below(problem.node_count()));
            const auto range = moves.range_of(node);
            const std::size_t to = range.low + random.below(range.high - range.low + 1);
            if (to == moves.stage_of(node)) continue;
            moves.move(node, to);
            ++made;
            if (random.chance(0.3)) moves.keep();
            if (random.chance(0.05)) moves.take_back();
        }
        moves.keep();
        expect_as_defined(problem, moves);
    }
}

TEST(Walker, AWalkGivesWhatItSays) {
    for (std::uint64_t i = 0; i < 60; ++i) {
        RandomStream random(2, i);
        const auto problem = test::random_problem(random, test::RandomProblemOptions::everything(40), 6);
        const auto start = test::random_partition(problem, 5, random);
        if (!cost::faults_of(problem, start, 6).empty()) continue;
        inference::Walker walker(problem);
        for (int coolness : {0, 4, 12}) {
            const auto walked = walker.walk(start, {.devices = 6, .proposals = 500, .coolness = coolness}, random, {});
            EXPECT_LE(walked.proposals, 500);
            EXPECT_LE(walked.bottleneck, price(problem, start).bottleneck);
            EXPECT_EQ(walked.bottleneck, price(problem, walked.partition).bottleneck);
            const auto faults = cost::faults_of(problem, walked.partition, 6);
            EXPECT_TRUE(faults.empty()) << faults.front().message;
        }
        const auto kicked = walker.kick(start, 6, 10, random);
        const auto faults = cost::faults_of(problem, kicked, 6);
        EXPECT_TRUE(faults.empty()) << faults.front().message;
    }
}

}  // namespace
}  // namespace sluice
