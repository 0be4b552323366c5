// Waist 2: a plan lowered to one ordered instruction list per rank (design §1). The simulator executes it in simulated time, the runtime
// executes the same lists for real.
//
// Meaning. Inputs are numbered 0, 1, …; a list works through its inputs first, first + stride, … and runs its body once for each.
//   receive c   wait until the message of channel c for this input lies in its buffer; blocks.
//   forward     run the stage on it; first waits for the output buffers of this slot: every send of the input `output_slots` turns earlier
//               (turns of this list) is complete. When it returns, the receive buffers of the input are free again.
//   send c      start sending channel c's tensor of this input; never blocks.
// A receiver keeps `credits` buffers a channel and posts the receive for its turn j as soon as the forward (collect: the delivery) of turn
// j - credits is done, the first `credits` of them at the start. Under rendezvous sends, which program/check.hpp assumes, a send
// completes only when its receive has been posted. Messages of one channel between two ranks arrive in order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/ids.hpp"
#include "sluice/base/units.hpp"

namespace sluice::program {

using ChannelId = Id<struct ChannelTag>;

/// Most processes of one program, the host included.
inline constexpr std::int64_t kMostRanks = std::int64_t{1} << 20;

/// One tensor on its way from one stage (or the host) to one stage (or the host).
struct Channel {
    std::string tensor;        // its name in the model
    TensorId tensor_id;        // several channels may carry one tensor: the cost model charges it once on leaving
    StageId from, to;          // invalid: the host, which holds model inputs and takes model outputs
    Bytes bytes;               // the tensor in memory
    Duration transfer{0};      // predicted, once on each side; 0 between host and stage on a platform without a host link
    std::int64_t credits = 2;  // receive buffers of each receiving replica; a power of two
    friend bool operator==(const Channel&, const Channel&) = default;
};

struct Stage {
    std::int64_t replicas = 1;    // replica q serves inputs q, q + replicas, …
    std::int64_t first_rank = 0;  // of its replicas, which have consecutive ranks
    std::string device_class;
    Duration work{0}, spill{0};     // predicted, of one input
    Bytes parameters, peak;         // predicted, of one replica
    std::int64_t output_slots = 2;  // sets of output buffers; a power of two
    friend bool operator==(const Stage&, const Stage&) = default;
};

enum class InstructionKind : std::uint8_t { receive, forward, send };
[[nodiscard]] std::string_view to_text(InstructionKind kind);

struct Instruction {
    InstructionKind kind = InstructionKind::forward;
    ChannelId channel;  // receive, send
    friend bool operator==(const Instruction&, const Instruction&) = default;
};

/// Who runs a list: a replica of a stage, or the host, whose feeding of inputs and collecting of outputs go on independently.
enum class Role : std::uint8_t { feed, collect, stage };

struct InstructionList {
    std::int64_t rank = 0;  // the process; feed and collect share rank 0
    Role role = Role::stage;
    StageId stage;  // Role::stage
    std::int64_t replica = 0;
    std::int64_t first = 0, stride = 1;
    std::vector<Instruction> body;  // no forward in feed and collect
    friend bool operator==(const InstructionList&, const InstructionList&) = default;
};

struct Program {
    std::vector<Channel> channels;
    std::vector<Stage> stages;           // in a topological order
    std::vector<InstructionList> lists;  // feed, collect, then the stages' replicas by rank
    std::int64_t ranks = 1;              // host included
    friend bool operator==(const Program&, const Program&) = default;
};

/// The rank that sends (receives) channel c's message of input i.
[[nodiscard]] std::int64_t sender_of(const Program& program, ChannelId channel, std::int64_t input);
[[nodiscard]] std::int64_t receiver_of(const Program& program, ChannelId channel, std::int64_t input);

}  // namespace sluice::program
