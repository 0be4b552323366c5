#include "sluice/mcm/judge/event_judge.hpp"

#include <gtest/gtest.h>

#include <bit>

#include "sluice/mcm/sample.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/judged.hpp"

namespace sluice::mcm {
namespace {

/// Any graph, platform and rules that keep data moving forward.
std::unique_ptr<testing::Judged> random_job(RandomStream& random, std::size_t most_operators, std::size_t most_chips) {
    testing::RandomProblemOptions options;
    options.max_operators = most_operators;
    options.spill = 0.4;
    options.hard = options.colours = options.replicated = 0.2;
    options.overlap = options.host_link = 0.5;
    graph::Graph graph = testing::random_graph(random, options);
    const auto platform = testing::ring_of(testing::random_platform(graph, random, options), 1 + random.below(most_chips));
    const Rules rules{.no_skip = random.chance(0.7),
                      .triangle = random.chance(0.5),
                      .memory = random.chance(0.7),
                      .adjacent = random.chance(0.3),
                      .relay = random.chance(0.4)};
    return testing::on_ring(std::move(graph), platform, rules);
}

EventJudgeOptions random_options(RandomStream& random) {
    EventJudgeOptions options = random.chance(0.5) ? testing::no_effects() : EventJudgeOptions{};
    // Times of these graphs are picoseconds.
    options.compile.effects.issue = Duration{random.between(0, 3)};
    options.compile.effects.fused_issue = Duration{random.between(0, 1)};
    options.message_overhead = Duration{random.between(0, 3)};
    options.compile.alignment = random.chance(0.5) ? 1 : 4;
    options.compile.receive_buffers = random.between(1, 3);
    options.compile.send_buffers = random.between(1, 3);
    return options;
}

/// Not nearly all as the rules want it: the judge takes whatever moves forward.
Assignment forward_assignment(const ChipProblem& problem, RandomStream& random) {
    Assignment chips(problem.node_count());
    for (std::size_t v = 0; v < chips.size(); ++v) {
        std::uint8_t least = 0;
        for (const NodeId before : problem.costs->predecessors[v]) least = std::max(least, chips[before.index()]);
        chips[v] = static_cast<std::uint8_t>(least + random.below(std::min<std::uint64_t>(3, problem.chips - least)));
    }
    return chips;
}

TEST(EventJudge, IsNeverBetterThanPlanned) {
    std::size_t judged = 0, failed = 0, hopeless = 0;
    for (std::uint64_t seed = 0; seed < testing::cases(1'500); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 41);
        const auto made = random_job(random, 14, 6);
        const auto judge = event_judge(made->graph, made->problem, made->platform, random_options(random));
        if (!judge) {
            ASSERT_EQ(judge.error().kind, DiagnosticKind::infeasible);
            ++hopeless;
            continue;
        }
        for (int i = 0; i < 3; ++i) {
            const Assignment chips = forward_assignment(made->problem, random);
            const auto verdict = (*judge)->judge(chips);
            ASSERT_TRUE(verdict.has_value());
            if (!verdict->fits()) {
                ++failed;
                continue;
            }
            ++judged;
            ASSERT_GE(verdict->period, bottleneck(made->problem, chips));
            const auto planned = chip_times(made->problem, chips);
            for (std::size_t c = 0; c < planned.size(); ++c) {
                ASSERT_GE(verdict->chip_times[c], planned[c]);
                ASSERT_LE(verdict->chip_times[c], verdict->period);
            }
            ASSERT_GE(verdict->latency, std::ranges::max(verdict->chip_times));
            ASSERT_GT(verdict->period.count(), 0);
        }
    }
    EXPECT_GT(judged, testing::cases(1'500));
    EXPECT_GT(failed, 0U);
    EXPECT_GT(hopeless, 0U);
}

}  // namespace
}  // namespace sluice::mcm
