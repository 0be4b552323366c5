// A pipeline on chips 0 … C-1 joined by links c -> c+1, input after input, as fast as it goes: the machine of the multi-chip job
// (design §3.2; notes: "links FIFO, every link on the way occupied, finite buffers, back-pressure, never 1 / max(stage)").
//
// A chip has an engine that computes, one that takes messages in and one that sends them out; `serial`: one engine for all three, and of
// what could begin it sends first, takes in next, computes last. Each does one thing at a time.
//   Computing   the chip's segments in their order, input by input. A segment begins when the messages it waits for have been taken in and
//               the buffers of those that it fills are free; a segment with `stream` holds its engine until the memory channel, which all
//               chips share and which serves them in the order of asking, has streamed its parameters.
//   Sending     of the messages ready on the chip the first, in the order of getting ready, for which every chip on the way has a free
//               buffer: a message that has no buffer lets others pass, so no cycle of full buffers can form (of the inputs under way the
//               oldest always finds its buffers free). The engine is busy for `out`; a link on the way for `wire` each, from when the
//               message starts on it, which is not before it starts on the link before (cut-through); links are first come, first served.
//   Taking in   as they come; `in` each, from when the link to the chip begins to carry the message: straight to its buffer. It is there
//               when the engine and the link are done with it. Chips on the way that read it take it in as it passes: one message serves
//               them all.
//   Buffers     of a message at a chip on the way: `buffers`, held from the sending until the last segment that reads it has ended
//               and the link has taken it further. At its sender: `send_buffers`, held from the beginning
//               of the segment that fills it until it has left.
// All ends of one instant count before anything begins; then chips begin in their order, on each sending before taking in before computing.
// Times are integer picoseconds. Deterministic. O(log(chips)) an event.
#pragma once

#include <cstdint>
#include <limits>
#include <stop_token>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/units.hpp"

namespace sluice::simulate {

/// Once an input. A relay is a segment that waits for one message and fills the next.
struct RingMessage {
    std::uint32_t from = 0, to = 0;  // equal: from or to the host, no link on the way
    bool from_host = false;          // there as soon as there is a buffer for it
    std::uint64_t readers = 0;       // chips that take it in: the last, and any on the way
    Duration out{0}, wire{0}, in{0};
    std::int64_t buffers = 2;  // at each chip on the way
};

/// What a chip computes in one piece.
struct RingSegment {
    std::uint32_t chip = 0;
    Duration work{0};
    Duration stream{0};  // on the memory channel, before the work
};

struct RingProgram {
    bool serial = false;
    std::uint32_t chips = 1;  // at most 64
    std::int64_t send_buffers = 2;
    std::vector<RingMessage> messages;
    std::vector<RingSegment> segments;  // by chip, in the order of execution
    Rows<std::uint32_t> waits;          // per segment: messages that must have been taken in on its chip
    Rows<std::uint32_t> fills;          // per segment: messages that it makes; ready at its end
    Rows<std::uint32_t> last_readings;  // per segment: messages that nothing on its chip needs after it. Each reader has one
};

struct RingOptions {
    std::int64_t warm_up = 0;                                        // outputs before the steady part
    std::int64_t outputs = 1;                                        // of the steady part
    bool find_period = true;                                         // end as soon as the state of everything is one that was there before
    std::int64_t inputs = std::numeric_limits<std::int64_t>::max();  // that there are
    std::int64_t trace_inputs = 0;                                   // keep what happens to the first so many
    std::stop_token stop = {};
};

enum class RingTrack : std::uint8_t { compute, in, out, link, channel };
struct RingTask {
    RingTrack track = RingTrack::compute;
    std::uint32_t chip = 0;  // link: from which; channel: for which
    std::uint32_t what = 0;  // segment or message
    std::int64_t input = 0;
    std::int64_t start = 0, end = 0;
};

struct RingResult {
    /// `inputs` came out in `span`: between two outputs of the steady part or, when `repeats`, in what is proven to be repeated for ever.
    Duration span{0};
    std::int64_t inputs = 0;
    bool repeats = false;
    /// Between two outputs, rounded up, and not less than the busiest engine, link or channel needs for an input: what was seen before the
    /// buffers of a faster branch have filled can be too good.
    Duration period{0};
    Duration first_output{0};
    std::int64_t outputs = 0, events = 0;
    bool stopped = false;
    std::vector<std::int64_t> longest_queue;  // per link c -> c+1
    std::vector<RingTask> tasks;              // by end
};

/// What an input asks of each engine, link and of the channel.
struct RingLoad {
    std::vector<Duration> compute, in, out;  // per chip; compute: with its streaming
    std::vector<Duration> links;             // c -> c+1
    Duration channel{0};
    [[nodiscard]] Duration busiest(bool serial) const;
};
[[nodiscard]] RingLoad load_of(const RingProgram& program);

/// An output is an input that every chip is done with: worked on, taken in, sent. Needs something that takes time; `span` of a single
/// output (warm_up 0, inputs 1) is 0.
[[nodiscard]] RingResult simulate_ring(const RingProgram& program, const RingOptions& options);

}  // namespace sluice::simulate
