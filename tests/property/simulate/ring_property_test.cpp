#include "sluice/simulate/ring.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <format>
#include <map>

#include "tests/support/effort.hpp"
#include "tests/support/ring.hpp"
#include "tests/support/slow_ring.hpp"

namespace sluice::simulate {
namespace {

using test::random_ring;
using test::SlowRing;

constexpr std::size_t kOutputs = 40;

TEST(Ring, GivesEveryOutputWhenThePlainSimulatorDoes) {
    std::size_t with_links = 0;
    for (std::uint64_t seed = 0; seed < test::cases(400); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 31);
        const RingProgram program = random_ring(random, 4);
        with_links += program.chips > 1 ? 1 : 0;
        const auto times = SlowRing(program, 1'000'000).outputs(kOutputs, 100'000);
        ASSERT_GE(times.size(), kOutputs);
        for (const std::size_t last : {std::size_t{1}, std::size_t{2}, std::size_t{7}, kOutputs}) {
            const RingResult result =
                simulate_ring(program, {.warm_up = 0, .outputs = static_cast<std::int64_t>(last), .find_period = false});
            ASSERT_EQ(result.first_output.count(), times.front());
            ASSERT_EQ(result.span.count(), times[static_cast<std::size_t>(result.inputs) - 1]) << last;
        }
    }
    EXPECT_GT(with_links, test::cases(400) / 2);
}

TEST(Ring, WhatIsSaidToRepeatRepeats) {
    std::size_t proven = 0;
    for (std::uint64_t seed = 0; seed < test::cases(300); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 32);
        const RingProgram program = random_ring(random, 4);
        const RingResult result = simulate_ring(program, {.warm_up = 10, .outputs = 2'000});
        if (!result.repeats) continue;
        ++proven;
        // From where the state was first seen on: outputs so many apart lie so much time apart.
        const auto first = static_cast<std::size_t>(result.outputs - result.inputs), period = static_cast<std::size_t>(result.inputs);
        const auto times = SlowRing(program, 1'000'000).outputs(first + 3 * period + 20, 200'000);
        for (std::size_t i = first; i + period < times.size(); ++i) ASSERT_EQ(times[i + period] - times[i], result.span.count()) << i;
        ASSERT_GE(result.period, load_of(program).busiest(program.serial));
        // The period is what is measured, not what is bounded.
        ASSERT_EQ(result.period.count(), (result.span.count() + result.inputs - 1) / result.inputs);
    }
    EXPECT_GT(proven, test::cases(300) * 9 / 10);
}

TEST(Ring, OneInputPassesThePipelineAsThePlainSimulatorSays) {
    for (std::uint64_t seed = 0; seed < test::cases(300); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 33);
        const RingProgram program = random_ring(random, 4);
        const RingResult result = simulate_ring(program, {.inputs = 1});
        ASSERT_EQ(result.outputs, 1);
        const auto times = SlowRing(program, 1).outputs(1, 100'000);
        ASSERT_EQ(result.first_output.count(), times.at(0));
    }
}

/// From what is written down of the first inputs: who uses what when.
struct Traced {
    RingProgram program;
    std::map<std::tuple<RingTrack, std::uint32_t, std::uint32_t, std::int64_t>, RingTask> tasks;  // track, chip, what, input
    std::int64_t inputs = 0;
    [[nodiscard]] const RingTask& at(RingTrack track, std::uint32_t chip, std::uint32_t what, std::int64_t input) const {
        return tasks.at({track, chip, what, input});
    }
};
Traced traced(std::uint64_t seed) {
    RandomStream random(seed, 34);
    Traced run{.program = random_ring(random, 5), .tasks = {}, .inputs = 12};
    const RingResult result = simulate_ring(run.program, {.outputs = 40, .find_period = false, .inputs = 12, .trace_inputs = 12});
    EXPECT_EQ(result.outputs, 12);
    for (const RingTask& task : result.tasks)
        EXPECT_TRUE(run.tasks.try_emplace({task.track, task.chip, task.what, task.input}, task).second) << "done twice";
    return run;
}

TEST(Ring, EveryMessageUsesEveryLinkOnItsWayOnceAndEveryReaderTakesItInOnce) {
    for (std::uint64_t seed = 0; seed < test::cases(300); ++seed) {
        SCOPED_TRACE(seed);
        const Traced run = traced(seed);
        std::size_t expected = 0;
        for (std::uint32_t m = 0; m < run.program.messages.size(); ++m) {
            const RingMessage& message = run.program.messages[m];
            for (std::int64_t n = 0; n < run.inputs; ++n) {
                expected += static_cast<std::size_t>(std::popcount(message.readers));
                if (message.from_host) continue;
                ++expected;
                const RingTask& out = run.at(RingTrack::out, message.from, m, n);
                ASSERT_EQ(out.end - out.start, message.out.count());
                if (message.wire.count() == 0) continue;
                for (std::uint32_t l = message.from; l < message.to; ++l) {
                    const RingTask& link = run.at(RingTrack::link, l, m, n);
                    ASSERT_EQ(link.end - link.start, message.wire.count());
                    ASSERT_GE(link.start, l == message.from ? out.start : run.at(RingTrack::link, l - 1, m, n).start);
                    ++expected;
                }
            }
        }
        for (std::uint32_t s = 0; s < run.program.segments.size(); ++s) {
            expected += static_cast<std::size_t>(run.inputs) * (run.program.segments[s].stream.count() > 0 ? 2 : 1);
            for (std::int64_t n = 0; n < run.inputs; ++n)
                ASSERT_TRUE(run.tasks.contains({RingTrack::compute, run.program.segments[s].chip, s, n}));
        }
        ASSERT_EQ(run.tasks.size(), expected) << "nothing else happened";
    }
}

TEST(Ring, NothingIsReadBeforeItIsThereNorSentBeforeItIsMade) {
    for (std::uint64_t seed = 0; seed < test::cases(300); ++seed) {
        SCOPED_TRACE(seed);
        const Traced run = traced(seed);
        for (std::uint32_t s = 0; s < run.program.segments.size(); ++s) {
            const std::uint32_t chip = run.program.segments[s].chip;
            for (std::int64_t n = 0; n < run.inputs; ++n) {
                const RingTask& work = run.at(RingTrack::compute, chip, s, n);
                for (const std::uint32_t m : run.program.waits[s]) {
                    ASSERT_GE(work.start, run.at(RingTrack::in, chip, m, n).end);
                    const RingMessage& message = run.program.messages[m];
                    if (message.from_host || message.wire.count() == 0) continue;
                    ASSERT_GE(work.start, run.at(RingTrack::link, chip - 1, m, n).end);
                }
                for (const std::uint32_t m : run.program.fills[s]) { ASSERT_GE(run.at(RingTrack::out, chip, m, n).start, work.end); }
                // The chip's segments in their order, input by input.
                if (s > 0 && run.program.segments[s - 1].chip == chip) {
                    ASSERT_GE(work.start, run.at(RingTrack::compute, chip, s - 1, n).end);
                } else if (n > 0) {
                    std::uint32_t last = s;
                    while (last + 1 < run.program.segments.size() && run.program.segments[last + 1].chip == chip) ++last;
                    ASSERT_GE(work.start, run.at(RingTrack::compute, chip, last, n - 1).end);
                }
            }
        }
        for (const auto& [key, task] : run.tasks) {
            if (task.track != RingTrack::in) continue;
            const RingMessage& message = run.program.messages[task.what];
            if (message.from_host || message.wire.count() == 0) continue;
            ASSERT_GE(task.start, run.at(RingTrack::link, task.chip - 1, task.what, task.input).start);
        }
        // One thing at a time on each engine, link and the channel.
        std::map<std::pair<int, std::uint32_t>, std::vector<std::pair<std::int64_t, std::int64_t>>> busy;
        for (const auto& [key, task] : run.tasks) {
            const bool engine = task.track != RingTrack::link && task.track != RingTrack::channel;
            const int track = run.program.serial && engine ? 0 : static_cast<int>(task.track);
            if (task.end > task.start) busy[{track, task.track == RingTrack::channel ? 0 : task.chip}].emplace_back(task.start, task.end);
        }
        for (auto& [key, spans] : busy) {
            std::ranges::sort(spans);
            for (std::size_t i = 1; i < spans.size(); ++i) ASSERT_LE(spans[i - 1].second, spans[i].first) << key.first << ' ' << key.second;
        }
    }
}

TEST(Ring, NoMoreBuffersAreInUseThanThereAre) {
    for (std::uint64_t seed = 0; seed < test::cases(300); ++seed) {
        SCOPED_TRACE(seed);
        const Traced run = traced(seed);
        for (std::uint32_t s = 0; s < run.program.segments.size(); ++s) {
            const std::uint32_t chip = run.program.segments[s].chip;
            for (const std::uint32_t m : run.program.last_readings[s]) {
                const RingMessage& message = run.program.messages[m];
                for (std::int64_t n = message.buffers; n < run.inputs && !message.from_host; ++n)
                    ASSERT_GE(run.at(RingTrack::out, message.from, m, n).start,
                              run.at(RingTrack::compute, chip, s, n - message.buffers).end);
            }
            for (const std::uint32_t m : run.program.fills[s])
                for (std::int64_t n = run.program.send_buffers; n < run.inputs; ++n)
                    ASSERT_GE(run.at(RingTrack::compute, chip, s, n).start,
                              run.at(RingTrack::out, chip, m, n - run.program.send_buffers).end);
        }
    }
}

}  // namespace
}  // namespace sluice::simulate
