#include "sluice/simulate/ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/support/ring.hpp"

namespace sluice::simulate {
namespace {

using test::RingBuilder;

RingResult steady(const RingProgram& program) { return simulate_ring(program, {.warm_up = 50, .outputs = 200}); }
RingResult measured(const RingProgram& program) { return simulate_ring(program, {.warm_up = 50, .outputs = 200, .find_period = false}); }
void expect_period(const RingProgram& program, std::int64_t period) {
    const RingResult found = steady(program), seen = measured(program);
    EXPECT_TRUE(found.repeats);
    EXPECT_FALSE(seen.repeats);
    EXPECT_EQ(found.period.count(), period);
    EXPECT_EQ(seen.period.count(), period);
}

TEST(Ring, OneChipTakesItsWork) {
    RingBuilder ring(1);
    ring.compute(0, 70);
    ring.compute(0, 30);
    expect_period(ring.build(), 100);
    EXPECT_EQ(simulate_ring(ring.build(), {.inputs = 1}).first_output.count(), 100);
}

TEST(Ring, TwoChipsPing) {
    RingBuilder ring(2);
    const auto a = ring.compute(0, 100), b = ring.compute(1, 80);
    ring.send(a, {b}, 30);
    RingProgram program = ring.build();
    expect_period(program, 100);  // the slower one; transfers beside the work
    program.serial = true;
    expect_period(program, 130);  // work and sending; on the other chip taking in and work, 110
    // Compute, then sender, wire and reader at once, compute.
    EXPECT_EQ(simulate_ring(program, {.inputs = 1}).first_output.count(), 100 + 30 + 80);
}

TEST(Ring, ASaturatedLinkSetsThePace) {
    RingBuilder ring(3);
    const auto a = ring.compute(0, 10), b = ring.compute(1, 10), c = ring.compute(2, 10);
    // 0 -> 1 carries three tensors of 25; no engine has so much to do.
    ring.send(a, {b}, 5, 25, 5);
    ring.send(a, {c}, 5, 25, 5);
    ring.send(a, {b}, 5, 25, 5);
    expect_period(ring.build(), 75);
}

TEST(Ring, AMessageOccupiesEveryLinkOnItsWay) {
    RingBuilder ring(3);
    const auto a = ring.compute(0, 10), b = ring.compute(1, 10), c = ring.compute(2, 10);
    ring.send(a, {c}, 1, 40, 1);
    ring.send(b, {c}, 1, 30, 1);
    expect_period(ring.build(), 70);  // on 1 -> 2
    // Cut-through: both links at once while nobody else is there.
    RingBuilder alone(3);
    const auto from = alone.compute(0, 10), to = alone.compute(2, 10);
    alone.send(from, {to}, 1, 40, 1);
    EXPECT_EQ(simulate_ring(alone.build(), {.inputs = 1}).first_output.count(), 10 + 40 + 10);
}

TEST(Ring, AMulticastIsCarriedOnce) {
    RingBuilder ring(4);
    const auto a = ring.compute(0, 10), b = ring.compute(1, 10), c = ring.compute(2, 10), d = ring.compute(3, 10);
    ring.send(a, {b, c, d}, 20);
    expect_period(ring.build(), 20);
    RingBuilder apart(4);
    const auto from = apart.compute(0, 10), x = apart.compute(1, 10), y = apart.compute(2, 10), z = apart.compute(3, 10);
    for (const auto& reader : {x, y, z}) apart.send(from, {reader}, 20);
    expect_period(apart.build(), 60);
}

TEST(Ring, AFullBufferHoldsTheSenderBack) {
    // With one buffer the sender waits until the reader is done: wire and work in turn, never two at once.
    RingBuilder ring(2);
    const auto a = ring.compute(0, 10), b = ring.compute(1, 50);
    ring.send(a, {b}, 20, 30, 5);
    RingProgram program = ring.build();
    program.messages[0].buffers = 1;
    expect_period(program, 30 + 50);
    program.messages[0].buffers = 2;
    expect_period(program, 50);
    // One send buffer: the next segment that fills it waits until it has left.
    program.messages[0].buffers = 4;
    program.send_buffers = 1;
    program.messages[0].wire = Duration{60};
    expect_period(program, 70);
    program.send_buffers = 2;
    expect_period(program, 60);
}

TEST(Ring, BackPressureReachesTheFirstChip) {
    RingBuilder ring(4);
    std::vector<RingBuilder::Segment> chips;
    for (std::uint32_t c = 0; c < 4; ++c) chips.push_back(ring.compute(c, c == 3 ? 100 : 10));
    for (std::uint32_t c = 0; c < 3; ++c) ring.send(chips[c], {chips[c + 1]}, 1);
    const RingResult result = simulate_ring(ring.build(), {.warm_up = 20, .outputs = 40, .find_period = false, .trace_inputs = 60});
    // The first chip cannot be ahead by more than all buffers and the chips between hold.
    std::int64_t done = 0;
    for (const RingTask& task : result.tasks) {
        if (task.track != RingTrack::compute) continue;
        if (task.chip == 3) done = std::max(done, task.input + 1);
        if (task.chip == 0) { EXPECT_LE(task.input - done, 3 * 2 + 3 * 2 + 3 + 1); }
    }
    EXPECT_EQ(result.period.count(), 100);
}

TEST(Ring, ARelayTakesInAndSendsAgain) {
    RingBuilder ring(3);
    const auto a = ring.compute(0, 10), relay = ring.compute(1, 0), c = ring.compute(2, 10);
    ring.send(a, {relay}, 20);
    ring.send(relay, {c}, 20);
    EXPECT_EQ(simulate_ring(ring.build(), {.inputs = 1}).first_output.count(), 10 + 20 + 20 + 10);
    expect_period(ring.build(), 20);
    RingProgram serial = ring.build();
    serial.serial = true;
    expect_period(serial, 40);  // the relay: in and out
}

TEST(Ring, RelaysThatRunAheadDoNotBlockTheirChip) {
    // Chip 1 hands t on before it makes u; chip 2 needs both, and has one buffer for each. t of the next input waits for chip 2's.
    RingBuilder ring(3);
    const auto a = ring.compute(0, 1), relay = ring.compute(1, 0), b = ring.compute(1, 50), c = ring.compute(2, 5);
    ring.send(a, {relay}, 1);
    ring.send(relay, {c}, 1);
    ring.send(b, {c}, 1);
    for (const bool serial : {false, true}) {
        RingProgram program = ring.build();
        program.serial = serial;
        program.send_buffers = 1;
        for (RingMessage& message : program.messages) message.buffers = 1;
        const RingResult result = steady(program);
        EXPECT_TRUE(result.repeats);
        EXPECT_GE(result.period.count(), 50);
        EXPECT_LE(result.period.count(), 60);
    }
}

TEST(Ring, AMessageWithoutABufferLetsOthersPass) {
    // t of the next input is ready before u, and waits until chip 2 is done with the one before. Behind it u would come to chip 1 too late.
    RingBuilder ring(3);
    const auto makes_t = ring.compute(0, 1), makes_u = ring.compute(0, 1), b = ring.compute(1, 50), c = ring.compute(2, 40);
    ring.send(makes_t, {c}, 1);
    ring.send(makes_u, {b}, 1);
    ring.send(b, {c}, 1);
    RingProgram program = ring.build();
    for (RingMessage& message : program.messages) message.buffers = 1;
    const RingResult result = steady(program);
    EXPECT_TRUE(result.repeats);
    EXPECT_GE(result.period.count(), 50);
    EXPECT_LE(result.period.count(), 55);
}

TEST(Ring, TheMemoryChannelServesOneChipAtATime) {
    RingBuilder ring(3);
    for (std::uint32_t c = 0; c < 3; ++c) ring.compute(c, 20, 30);
    expect_period(ring.build(), 90);
    RingBuilder one(1);
    one.compute(0, 20, 30);
    expect_period(one.build(), 50);
}

TEST(Ring, TheHostIsAlwaysThere) {
    RingBuilder ring(1);
    const auto a = ring.compute(0, 10);
    ring.from_host(a, 25);
    ring.send(a, {}, 40);
    RingProgram program = ring.build();
    expect_period(program, 40);
    program.serial = true;
    expect_period(program, 75);
}

TEST(Ring, AFastBranchThatRunsAheadIsNoThroughput) {
    // Chip 1 is slow and nobody waits for it before its buffers are full: what comes out at first is too good.
    RingBuilder ring(4);
    const auto a = ring.compute(0, 10), slow = ring.compute(1, 103), fast = ring.compute(2, 100);
    ring.compute(3, 100);
    ring.send(a, {slow}, 1);
    ring.send(a, {fast}, 1);
    EXPECT_EQ(simulate_ring(ring.build(), {.warm_up = 1, .outputs = 3, .find_period = false}).period.count(), 103);
    const RingResult found = simulate_ring(ring.build(), {.warm_up = 10, .outputs = 10'000});
    EXPECT_TRUE(found.repeats);
    EXPECT_EQ(found.period.count(), 103);
    EXPECT_EQ(found.span.count(), 103 * found.inputs);
}

TEST(Ring, SixtyFourChips) {
    RingBuilder ring(64);
    std::vector<RingBuilder::Segment> chips;
    for (std::uint32_t c = 0; c < 64; ++c) chips.push_back(ring.compute(c, 90 + c % 7));
    for (std::uint32_t c = 0; c + 1 < 64; ++c) ring.send(chips[c], {chips[c + 1]}, 20);
    const std::uint32_t around = ring.send(chips[0], {chips[63]}, 5);
    // Past all others with two buffers: two inputs under way, and each takes the whole pipeline.
    EXPECT_GT(steady(ring.build()).period.count(), 64 * 90 / 4);
    ring.program().messages[around].buffers = 100;
    const RingResult result = steady(ring.build());
    EXPECT_TRUE(result.repeats);
    EXPECT_EQ(result.period.count(), 96);
}

}  // namespace
}  // namespace sluice::simulate
