// Ring programs for tests: written down by hand, and any random one.
#pragma once

#include <utility>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/simulate/ring.hpp"

namespace sluice::test {

/// Messages and segments in any order of calls; segments of a chip in the order they are added.
class RingBuilder {
public:
    explicit RingBuilder(std::uint32_t chips) : segments_(chips) {}
    struct Segment {
        std::uint32_t chip = 0;
        std::size_t at = 0;
    };
    Segment compute(std::uint32_t chip, std::int64_t work, std::int64_t stream = 0) {
        segments_[chip].push_back({.work = work, .stream = stream, .waits = {}, .fills = {}, .last = {}});
        return {chip, segments_[chip].size() - 1};
    }
    /// From the segment that makes it to those that read it, each on another chip; out, wire and in take `time`.
    std::uint32_t send(Segment from, const std::vector<Segment>& readers, std::int64_t time) {
        return send(from, readers, time, time, time);
    }
    std::uint32_t send(Segment from, const std::vector<Segment>& readers, std::int64_t out, std::int64_t wire, std::int64_t in) {
        simulate::RingMessage message{.from = from.chip, .to = from.chip};
        for (const Segment& reader : readers) {
            message.to = std::max(message.to, reader.chip);
            message.readers |= std::uint64_t{1} << reader.chip;
        }
        const std::uint32_t m = add(message, out, wire, in);
        at(from).fills.push_back(m);
        for (const Segment& reader : readers) read(reader, reader, m);
        return m;
    }
    std::uint32_t from_host(Segment reader, std::int64_t in) {
        const std::uint32_t m =
            add({.from = reader.chip, .to = reader.chip, .from_host = true, .readers = std::uint64_t{1} << reader.chip}, 0, 0, in);
        read(reader, reader, m);
        return m;
    }
    void wait(Segment reader, std::uint32_t m) { at(reader).waits.push_back(m); }
    void read(Segment first, Segment last, std::uint32_t m) {
        at(first).waits.push_back(m);
        at(last).last.push_back(m);
    }
    simulate::RingProgram& program() { return program_; }
    simulate::RingProgram build() {
        simulate::RingProgram program = program_;
        program.chips = static_cast<std::uint32_t>(segments_.size());
        for (std::uint32_t chip = 0; chip < program.chips; ++chip)
            for (const Planned& planned : segments_[chip]) {
                program.segments.push_back({.chip = chip, .work = Duration{planned.work}, .stream = Duration{planned.stream}});
                program.waits.push_row(planned.waits);
                program.fills.push_row(planned.fills);
                program.last_readings.push_row(planned.last);
            }
        return program;
    }

private:
    struct Planned {
        std::int64_t work = 0, stream = 0;
        std::vector<std::uint32_t> waits, fills, last;
    };
    Planned& at(Segment segment) { return segments_[segment.chip][segment.at]; }
    std::uint32_t add(simulate::RingMessage message, std::int64_t out, std::int64_t wire, std::int64_t in) {
        message.out = Duration{out};
        message.wire = Duration{wire};
        message.in = Duration{in};
        program_.messages.push_back(message);
        return static_cast<std::uint32_t>(program_.messages.size() - 1);
    }
    simulate::RingProgram program_;
    std::vector<std::vector<Planned>> segments_;
};

/// Up to `most_chips` chips; every kind of message, times that are small and sometimes nothing.
inline simulate::RingProgram random_ring(RandomStream& random, std::uint32_t most_chips) {
    const auto chips = static_cast<std::uint32_t>(1 + random.below(most_chips));
    RingBuilder builder(chips);
    const double nothing = random.chance(0.5) ? 0.2 : 0;
    const auto time = [&](std::int64_t largest) { return random.chance(nothing) ? 0 : random.between(1, largest); };
    const bool streams = random.chance(0.3);
    std::vector<std::vector<RingBuilder::Segment>> segments(chips);
    for (std::uint32_t c = 0; c < chips; ++c)
        for (std::size_t s = 0, count = random.chance(0.1) && c + 1 < chips ? 0 : 1 + random.below(4); s < count; ++s)
            segments[c].push_back(builder.compute(c, time(12), streams && random.chance(0.4) ? random.between(1, 6) : 0));
    segments[0].push_back(builder.compute(0, random.between(1, 9)));
    const auto any = [&](std::uint32_t c) { return segments[c][random.below(segments[c].size())]; };
    const auto read = [&](std::uint32_t c, std::uint32_t m) {
        auto first = any(c), last = any(c);
        if (last.at < first.at) std::swap(first, last);
        builder.read(first, last, m);
    };
    for (std::size_t i = 0, count = random.below(3 * chips + 1); i < count; ++i) {
        const auto from = static_cast<std::uint32_t>(random.below(chips));
        if (segments[from].empty()) continue;
        if (random.chance(0.15)) {
            builder.send(any(from), {}, time(6));  // to the host
            continue;
        }
        if (random.chance(0.15)) {
            builder.from_host(any(from), time(6));
            continue;
        }
        if (from + 1 == chips) continue;
        const bool relayed = random.chance(0.3);
        std::uint64_t readers = 0;
        std::uint32_t to = from;
        for (std::uint32_t c = from + 1; c < chips; ++c)
            if (!segments[c].empty() && random.chance(0.5)) readers |= std::uint64_t{1} << (to = c);
        if (to == from) continue;
        const std::int64_t out = time(6), wire = time(6), in = time(6);
        if (!relayed) {
            const std::uint32_t m = builder.send(any(from), {}, out, wire, in);
            builder.program().messages[m].to = to;
            builder.program().messages[m].readers = readers;
            for (std::uint32_t c = from + 1; c <= to; ++c)
                if ((readers >> c) & 1) read(c, m);
            continue;
        }
        auto sender = any(from);
        for (std::uint32_t c = from + 1; c < to; ++c) {
            const auto relay = builder.compute(c, time(3));
            const std::uint32_t m = builder.send(sender, {relay}, out, wire, in);
            if ((readers >> c) & 1) builder.wait(any(c), m);  // the relay comes later, and reads it last
            sender = relay;
        }
        const auto first = any(to), last = any(to);
        const bool swapped = last.at < first.at;
        const std::uint32_t m = builder.send(sender, {swapped ? first : last}, out, wire, in);
        if (first.at != last.at) builder.wait(swapped ? last : first, m);
    }
    simulate::RingProgram program = builder.build();
    program.serial = random.chance(0.5);
    for (simulate::RingMessage& message : program.messages) message.buffers = random.between(1, 4);
    program.send_buffers = random.between(1, 3);
    return program;
}

}  // namespace sluice::test
