// Runs whose times can be worked out by hand.
#include "sluice/simulate/inference.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/random_program.hpp"

namespace sluice::simulate {
namespace {

using platform::StageModel;
using platform::Topology;
using program::Program;
using test::program_of;

constexpr std::int64_t kInputs = 1000;

/// A byte a picosecond, no latency.
platform::Platform machine(Topology topology = Topology::uniform, StageModel model = StageModel::serial) {
    platform::Platform platform = test::detail::must(platform::load_platform("asic-16"));
    platform.topology = topology;
    platform.model = model;
    platform.stage_link = {ByteRate{1'000'000'000'000}, Duration{0}};
    if (topology == Topology::hierarchy) {
        platform.devices_per_node = 2;
        platform.node_link = platform.stage_link;
    }
    return platform;
}

InferenceResult run(const Program& program, const platform::Platform& platform, const InferenceOptions& options = {.inputs = kInputs}) {
    return test::detail::must(simulate_inference(program, platform, options));
}

void expect_period(const InferenceResult& result, std::int64_t period) {
    EXPECT_TRUE(result.steady);
    EXPECT_EQ(result.steady_time.count(), result.steady_inputs * period);
    EXPECT_GT(result.steady_inputs, 100);
}

const LinkUse& link_named(const InferenceResult& result, std::string_view name) {
    const auto found = std::ranges::find(result.links, name, &LinkUse::name);
    if (found == result.links.end()) {
        ADD_FAILURE() << "no link " << name;
        static const LinkUse kNone;
        return kNone;
    }
    return *found;
}

TEST(Inference, AChainFillsRunsAndDrains) {
    const auto result = run(program_of({{10}, {30}, {20}}, {{-1, 0}, {0, 1}, {1, 2}, {2, -1}}), machine());
    expect_period(result, 30);
    EXPECT_DOUBLE_EQ(result.throughput_per_s, 1e12 / 30);
    EXPECT_EQ(result.first_latency, Duration{60});
    EXPECT_EQ(result.makespan, Duration{60 + (kInputs - 1) * 30});
    EXPECT_EQ(result.stages[1].utilisation, 1.0);
    EXPECT_NEAR(result.stages[0].utilisation, 1.0 / 3, 1e-3);
    EXPECT_NEAR(result.stages[2].utilisation, 2.0 / 3, 1e-3);
    // The first stage runs ahead until both of the second one's buffers are full: one at work, one waiting.
    EXPECT_EQ(result.stages[1].longest_queue, 1);
    EXPECT_NEAR(result.stages[1].mean_queue, 1, 1e-9);
    EXPECT_EQ(result.stages[2].longest_queue, 0);
}

TEST(Inference, TransfersTakeTheDeviceOnBothSides) {
    // f = 10 + 3, 3 + 20 + 4, 4 + 5
    const auto result = run(program_of({{10}, {20}, {5}}, {{-1, 0}, {0, 1, 3}, {1, 2, 4}, {2, -1}}), machine());
    expect_period(result, 27);
    EXPECT_EQ(result.first_latency, Duration{13 + 27 + 9});
    EXPECT_EQ(result.makespan, Duration{49 + (kInputs - 1) * 27});
}

TEST(Inference, ATensorLeavesOnceHoweverManyStagesReadIt) {
    const std::vector<test::StageSketch> stages{{10}, {1}, {1}};
    expect_period(run(program_of(stages, {{-1, 0}, {0, 1, 5, 2, 1, 7}, {0, 2, 5, 2, 1, 7}, {1, -1}, {2, -1}}), machine()), 15);
    expect_period(run(program_of(stages, {{-1, 0}, {0, 1, 5, 2, 1, 7}, {0, 2, 5, 2, 1, 8}, {1, -1}, {2, -1}}), machine()), 20);
}

TEST(Inference, TheHostsLinkTakesTheStagesSideOnly) {
    // One tensor to the host and to a stage leaves once.
    const auto result = run(program_of({{10}, {1}}, {{-1, 0, 6}, {0, 1, 5, 2, 1, 7}, {0, -1, 5, 2, 1, 7}}), machine());
    expect_period(result, 21);
    EXPECT_EQ(result.first_latency, Duration{21 + 5 + 1});
}

TEST(Inference, OverlapIsAsFastAsItsSlowestEngine) {
    const Program program = program_of({{5}, {5}, {5}}, {{-1, 0, 0, 4}, {0, 1, 7, 4}, {1, 2, 9, 4}, {2, -1, 0, 4}});
    const auto result = run(program, machine(Topology::uniform, StageModel::overlap));
    expect_period(result, 9);
    EXPECT_EQ(result.first_latency, Duration{5 + 7 + 7 + 5 + 9 + 9 + 5});
    expect_period(run(program, machine()), 5 + 7 + 9);
}

TEST(Inference, TooFewCreditsOnASkipConnectionThrottle) {
    const std::vector<test::StageSketch> stages(6, {10});
    const auto with = [&](std::int64_t credits, bool skip_first) {
        std::vector<test::ChannelSketch> channels{{-1, 0}, {0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, -1}};
        channels.insert(channels.begin() + (skip_first ? 1 : 2), {0, 5, 0, credits});
        return run(program_of(stages, channels), machine());
    };
    expect_period(with(8, true), 10);
    expect_period(with(8, false), 10);
    // With two buffers, input i + 2 leaves stage 0 when the last stage is done with i, and has five stages before it; when the skip leaves
    // last, that is so for input i + 3, and stage 0's own work comes on top.
    expect_period(with(2, true), 50 / 2);
    const auto three = with(2, false);  // outputs come in threes
    EXPECT_NEAR(static_cast<double>(three.steady_time.count()), 20.0 * static_cast<double>(three.steady_inputs), 60);
}

TEST(Inference, CreditsAreAMatterOfLevelsNotOfPathsBetweenTwoStages) {
    // No directed path but the channel itself leads from a to b or from c to d. Yet c is held up by d and b by c, so a, which waits for b's
    // buffers, is held up by a path that begins at a: five stages of work, four credits.
    enum : int { a, c, x, y, z, b, d };
    const auto with = [&](std::int64_t credits) {
        return run(
            program_of(
                std::vector<test::StageSketch>(7, {10}),
                {{-1, a}, {-1, c}, {a, b, 0, credits}, {a, x}, {c, d, 0, credits}, {c, b}, {x, y}, {y, z}, {z, d}, {b, -1}, {d, -1, 0, 8}}),
            machine());
    };
    const auto few = with(2);
    EXPECT_NEAR(static_cast<double>(few.steady_time.count()), 12.5 * static_cast<double>(few.steady_inputs), 50);
    expect_period(with(4), 10);
}

TEST(Inference, ReplicasShareTheInputs) {
    const auto result = run(program_of({{10}, {28, 3}, {4}}, {{-1, 0}, {0, 1}, {1, 2}, {2, -1}}), machine());
    expect_period(result, 10);
    // 28/2 is no integer rate's inverse at one input, but it is over two.
    const auto two = run(program_of({{10}, {29, 2}, {4}}, {{-1, 0}, {0, 1}, {1, 2}, {2, -1}}), machine());
    EXPECT_EQ(two.steady_inputs % 2, 0);
    EXPECT_EQ(two.steady_time.count() * 2, two.steady_inputs * 29);
    EXPECT_EQ(two.bottleneck_work, Duration{29});
    EXPECT_EQ(two.bottleneck_replicas, 2);
    // co-prime counts: the common period is 30 inputs
    const auto three = run(program_of({{20, 2}, {30, 3}, {51, 5}}, {{-1, 0}, {0, 1, 0, 4}, {1, 2, 0, 4}, {2, -1}}), machine());
    EXPECT_EQ(three.steady_inputs % 30, 0);
    EXPECT_EQ(three.steady_time.count() * 5, three.steady_inputs * 51);
}

TEST(Wires, AChainIsBoundByItsSharedHop) {
    // 0 -> 3 and 1 -> 2, each 100 bytes: the hop 1 -> 2 carries both.
    const Program program = program_of({{1}, {1}, {1}, {1}}, {{0, 3, 100, 4, 100}, {1, 2, 100, 4, 100}, {2, 3, 1, 4, 1}, {3, -1}});
    for (const LinkSharing sharing : {LinkSharing::fifo, LinkSharing::fair}) {
        const auto result = run(program, machine(Topology::chain), {.inputs = kInputs, .sharing = sharing});
        EXPECT_NEAR(static_cast<double>(result.steady_time.count()), 200.0 * static_cast<double>(result.steady_inputs), 200);
        EXPECT_NEAR(link_named(result, "1 -> 2").utilisation, 1, 1e-3);
        EXPECT_EQ(link_named(result, "1 -> 2").bytes, Bytes{200 * kInputs});
        EXPECT_NEAR(link_named(result, "0 -> 1").utilisation, 0.5, 1e-3);
        EXPECT_EQ(link_named(result, "2 -> 3").bytes, Bytes{101 * kInputs});
    }
    const auto free = run(program, machine(Topology::chain), {.inputs = kInputs, .sharing = LinkSharing::free});
    expect_period(free, 102);  // stages 2 and 3: 100 + 1 of transfers, and 1 of work
}

TEST(Wires, AnUncontendedMessageCostsNothingBeyondItsEnds) {
    const Program program = program_of({{10}, {0}, {0}, {20}}, {{-1, 0}, {0, 3, 100, 4, 100}, {3, -1}});
    for (const Topology topology : {Topology::uniform, Topology::chain, Topology::ring, Topology::hierarchy})
        EXPECT_EQ(run(program, machine(topology), {.inputs = 1}).makespan, Duration{10 + 100 + 100 + 20}) << to_text(topology);
}

TEST(Wires, ARingTakesTheShorterWayUnlessChipsGoForwardOnly) {
    platform::Platform ring = machine(Topology::ring);
    ring.classes[0].count = 8;
    std::vector<test::StageSketch> stages(8, {1});
    const Program program = program_of(stages, {{-1, 0}, {0, 7, 10, 4, 10}, {7, -1}});
    const auto shorter = run(program, ring);
    ASSERT_EQ(shorter.links.size(), 1U);
    EXPECT_EQ(shorter.links[0].name, "0 -> 7");
    ring.chip_rules = true;
    const auto forward = run(program, ring);
    ASSERT_EQ(forward.links.size(), 7U);
    EXPECT_EQ(forward.links[6].name, "6 -> 7");
    // The same distance both ways: forward. Chips that the program does not use are on the way.
    ring.chip_rules = false;
    EXPECT_EQ(run(program_of({{1}, {1}, {1}, {1}, {1}}, {{0, 4, 10, 4, 10}, {4, -1}}), ring).links.front().name, "0 -> 1");
    EXPECT_EQ(run(program_of(std::vector<test::StageSketch>(7, {1}), {{0, 6, 10, 4, 10}, {6, -1}}), ring).links.size(), 2U);
}

TEST(Wires, AHierarchyIsBoundByTheUplink) {
    // Nodes {0, 1} and {2, 3}.
    const Program program = program_of({{1}, {1}, {1}, {1}}, {{0, 2, 100, 4, 100}, {1, 3, 100, 4, 100}, {0, 1, 3, 4, 3}, {2, -1}, {3, -1}});
    const auto result = run(program, machine(Topology::hierarchy));
    expect_period(result, 200);
    ASSERT_EQ(result.links.size(), 2U);  // inside a node nothing is shared
    EXPECT_NEAR(link_named(result, "node 0 uplink").utilisation, 1, 1e-3);
    EXPECT_NEAR(link_named(result, "node 1 downlink").utilisation, 1, 1e-3);
}

TEST(Memory, TheHighWaterMarkIsPartsThatAreThereTogether) {
    Program program = program_of({{10}, {30}}, {{-1, 0, 0, 2, 4}, {0, 1, 0, 2, 100}, {1, -1, 0, 2, 7}});
    program.stages[0].parameters = {1000};
    program.stages[0].peak = {4 + 100 + 50};
    program.stages[1].parameters = {2000};
    const auto result = run(program, machine());
    // Stage 0: its input, one output (it is not sent before the reader has a buffer, and then no time passes), and 50 of its own.
    EXPECT_EQ(result.stages[0].peak_memory, Bytes{1000 + 4 + 100 + 50});
    EXPECT_EQ(result.stages[0].reserved_memory, Bytes{1000 + 2 * 4 + 2 * 100 + 50});
    // Stage 1: both receive buffers full, and its output.
    EXPECT_EQ(result.stages[1].peak_memory, Bytes{2000 + 2 * 100 + 7});
    EXPECT_EQ(result.stages[1].reserved_memory, Bytes{2000 + 2 * 100 + 2 * 7});
}

TEST(Inference, FewInputsAreSaidToBeNoSteadyPart) {
    const Program program = program_of({{10}, {30}, {20}}, {{-1, 0}, {0, 1}, {1, 2}, {2, -1}});
    const auto one = run(program, machine(), {.inputs = 1});
    EXPECT_FALSE(one.steady);
    EXPECT_EQ(one.makespan, Duration{60});
    EXPECT_EQ(one.throughput_per_s, 0);
    EXPECT_EQ(one.outputs, 1);
    const auto two = run(program, machine(), {.inputs = 2});
    EXPECT_FALSE(two.steady);
    EXPECT_EQ(two.makespan, Duration{90});
    EXPECT_DOUBLE_EQ(two.throughput_per_s, 1e12 / 30);
}

TEST(Inference, StagesWithoutInputsOrOutputsAndWithoutTimeRun) {
    // a source without the host, a stage that nobody reads, a program of no time at all
    const auto result = run(program_of({{10}, {30}, {7}}, {{0, 1}, {0, 2}}), machine());
    expect_period(result, 30);
    EXPECT_EQ(run(program_of({{0}, {0}}, {{-1, 0}, {0, 1}, {1, -1}}), machine()).makespan, Duration{0});
    EXPECT_EQ(run(program_of({{5}}, {}), machine()).outputs, kInputs);
}

TEST(Inference, RefusesWhatItCannotRun) {
    const Program program = program_of({{10}, {30}}, {{-1, 0}, {0, 1}, {1, -1}});
    const auto error = [&](const Program& p, const InferenceOptions& options) {
        const auto result = simulate_inference(p, machine(), options);
        EXPECT_FALSE(result);
        return result ? Diagnostic{} : result.error();
    };
    EXPECT_EQ(error(program, {.inputs = 0}).kind, DiagnosticKind::usage);
    EXPECT_EQ(error(program, {.inputs = kMostInputs + 1}).kind, DiagnosticKind::usage);
    EXPECT_TRUE(error(program_of({{1}, {1}}, {{0, 1}, {1, 0}}), {}).message.starts_with("deadlock"));
    EXPECT_TRUE(error(program_of({}, {}), {}).message.contains("no stages"));
    EXPECT_TRUE(error(program_of({{std::int64_t{1} << 59}}, {{-1, 0}, {0, -1}}), {}).message.contains("clock"));
    EXPECT_TRUE(error(program_of({{1}, {1}}, {{-1, 0}, {0, 1, 0, 2, std::int64_t{1} << 62}}), {}).message.contains("counted"));
    EXPECT_EQ(error(program, {.inputs = 1'000'000, .trace = true}).help, "trace at most 500000 inputs: --inputs 500000");
    std::stop_source stop;
    stop.request_stop();
    // Asked for every 4096 events: what has come out by then is kept.
    const auto kept = run(program, machine(), {.inputs = 1'000'000, .stop = stop.get_token()});
    EXPECT_GT(kept.outputs, 1000);
    EXPECT_LT(kept.outputs, 5000);
    EXPECT_GT(kept.throughput_per_s, 0);
}

TEST(Inference, CreditsBeyondUseCostNothing) {
    Program program = program_of({{10}, {30}}, {{-1, 0}, {0, 1, 0, std::int64_t{1} << 40}, {1, -1}});
    program.stages[0].output_slots = std::int64_t{1} << 40;
    const auto result = run(program, machine());
    EXPECT_EQ(result.outputs, kInputs);
    EXPECT_GT(result.stages[1].longest_queue, 600);  // stage 0 runs ahead
}

TEST(Inference, ManyDevices) {
    std::vector<test::StageSketch> stages(2000, {10});
    std::vector<test::ChannelSketch> channels{{-1, 0}};
    for (int s = 0; s + 1 < 2000; ++s) channels.push_back({s, s + 1, 1});
    channels.push_back({1999, -1});
    const auto result = run(program_of(stages, channels), machine(), {.inputs = 100});
    EXPECT_EQ(result.makespan, Duration{11 + 1998 * 12 + 11 + 99 * 12});
}

}  // namespace
}  // namespace sluice::simulate
