// Waist 2 for training: a plan lowered to one ordered instruction list per group of devices, for one mini-batch (design §1, §3.3). The
// simulator executes it in simulated time, the training runtime for real; each replica of a group runs the group's list on its own samples.
//
// Meaning:
// - `receive c n`: wait until chunk n of channel c lies in its buffer; blocks.
// - `forward s i`: micro-batch i of stage s; what it keeps is held from here.
// - `backward_input s i`: the gradient of what the stage read; where backward_weight of the same micro-batch follows at once, the two are
//   one.
// - `backward_weight s i`: the gradient of its weights, added to what the micro-batches before left; what it kept is free again.
// - `send c n`: start sending chunk n of channel c; never blocks.
// - `all_reduce r`: add up gradients over the devices of reduction r once all its stages have come to it; never blocks. What several
//   stages share is added up over each one's replicas before.
// - `optimizer_step s`: waits for the stage's reductions, then changes its weights.
//
// A receiver keeps `credits` buffers a channel and posts the receive of chunk n as soon as it has consumed chunk n - credits. Under
// rendezvous sends, which program/training_check.hpp assumes, a send completes only when its receive has been posted, and a sender begins
// chunk n only once chunk n - credits is complete.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sluice/base/ids.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/cost/training_partition.hpp"
#include "sluice/program/program.hpp"

namespace sluice::program {

/// What goes from one stage to another in chunks of the same samples: the tensors on one edge of the stage graph, or their gradients.
/// Between stages of one group it has no instructions: what is sent is there already.
struct TrainingChannel {
    std::uint32_t from = 0, to = 0;  // stages
    bool gradient = false;
    std::int64_t samples = 1;  // of a chunk
    std::int64_t chunks = 1;
    Bytes bytes;                    // of a chunk
    std::int64_t credits = 1;       // chunks
    std::vector<TensorId> tensors;  // in the model
    friend bool operator==(const TrainingChannel&, const TrainingChannel&) = default;
};

struct ProgramStage {
    std::uint32_t group = 0;
    std::int64_t micro_batch = 1, count = 1;
    Duration forward{0}, backward_input{0}, backward_weight{0}, optimizer{0};
    Bytes state;                   // of one replica
    Bytes kept, kept_for_weights;  // of one micro-batch on one replica
    Bytes recomputed;              // while a backward pass runs
    std::int64_t in_flight = 1;    // micro-batches
    friend bool operator==(const ProgramStage&, const ProgramStage&) = default;
};

struct DeviceGroup {
    std::int64_t first_device = 0, devices = 1;
    std::uint32_t device_class = 0;
    friend bool operator==(const DeviceGroup&, const DeviceGroup&) = default;
};

/// A sum of gradients: over the replicas of one stage, or over stages that share parameters.
struct Reduction {
    std::vector<std::uint32_t> stages;
    Bytes bytes;  // of gradients
    Duration time{0};
    friend bool operator==(const Reduction&, const Reduction&) = default;
};

enum class TrainingStep : std::uint8_t { receive, forward, backward_input, backward_weight, send, all_reduce, optimizer_step };
[[nodiscard]] std::string_view to_text(TrainingStep step);

struct TrainingInstruction {
    TrainingStep step = TrainingStep::forward;
    std::uint32_t of = 0;     // channel (receive, send), reduction (all_reduce), stage (the rest)
    std::uint32_t index = 0;  // chunk, micro-batch; 0 for all_reduce and optimizer_step
    friend bool operator==(const TrainingInstruction&, const TrainingInstruction&) = default;
};

struct TrainingProgram {
    std::int64_t mini_batch = 1;
    std::vector<ProgramStage> stages;  // in a topological order
    std::vector<TrainingChannel> channels;
    std::vector<Reduction> reductions;
    std::vector<DeviceGroup> groups;
    std::vector<std::vector<TrainingInstruction>> lists;  // per group
    friend bool operator==(const TrainingProgram&, const TrainingProgram&) = default;
};

/// The program of a partition that cost::faults_of accepts, under its schedule. O(instructions log groups). Deterministic.
[[nodiscard]] TrainingProgram lower_training(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition);
/// nullopt: the limits stopped it.
[[nodiscard]] std::optional<TrainingProgram> lower_training(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition,
                                                            const Limits& limits);

/// Each fault named, empty when the program may run: ids and numbers out of range; a micro-batch whose forward and backward passes do not
/// happen exactly once, in order; in_flight above a stage's cap; chunks sent or received twice, never, or by the wrong group; local stages
/// in the wrong order; and deadlock under rendezvous sends, with the instruction that each group is stuck at. O(instructions).
[[nodiscard]] std::vector<Diagnostic> faults_of(const TrainingProgram& program);

}  // namespace sluice::program
