// A training plan as the cost model sees it (design §3.3): a graph of stages on groups of devices, its check, its memory and its price.
//
// Devices are numbered class after class, as the platform lists them. A stage runs on devices first_device … first_device + replicas - 1,
// each of which takes an equal share of every micro-batch (micro_batch / replicas samples, rounded up). Stages with the same devices share
// them; otherwise their devices are disjoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sluice/cost/training_problem.hpp"

namespace sluice::cost {

/// In which order a device works (program/schedule.hpp).
enum class Schedule : std::uint8_t {
    gpipe,        // all forward passes, then all backward passes (Huang et al., NeurIPS 2019)
    one_f_one_b,  // kFkB on a graph of stages: 1F1B (Narayanan et al., SOSP 2019) with k = 1 everywhere
    chain,        // the same where every stage waits for the one before it, whether it reads from it or not: linear pipelines
    interleaved,  // several stages a device in turn, depth first (Narayanan et al., SC 2021)
    zero_bubble,  // 1F1B, the gradient of the weights later (ZB-H1, Qi et al., ICLR 2024)
    list          // whatever is ready and most urgent, below the memory's limit
};
inline constexpr std::array kSchedules{Schedule::gpipe,       Schedule::one_f_one_b, Schedule::chain,
                                       Schedule::interleaved, Schedule::zero_bubble, Schedule::list};
[[nodiscard]] std::string_view to_text(Schedule schedule);
[[nodiscard]] std::optional<Schedule> schedule_of(std::string_view text);

struct TrainingStage {
    std::vector<NodeId> nodes;  // convex, in execution order
    ClassId device{0};
    std::int64_t first_device = 0, replicas = 1;
    std::int64_t micro_batch = 1;  // samples, of all replicas together; divides the mini-batch
    std::int64_t k = 1;            // kFkB: micro-batches that go forward, and back, in a row
    bool recompute = false;        // keep what enters the stage alone, and run its forward pass again before its backward pass
    bool joint_backward = false;   // both gradients in one pass, also under a schedule that splits them
    std::int64_t in_flight = 0;    // most samples whose forward pass ran and whose backward pass did not; a multiple of micro_batch
    friend bool operator==(const TrainingStage&, const TrainingStage&) = default;
};

/// Stages in a topological order of the stage graph; none empty.
struct TrainingPartition {
    std::vector<TrainingStage> stages;
    Schedule schedule = Schedule::one_f_one_b;
    friend bool operator==(const TrainingPartition&, const TrainingPartition&) = default;
};

/// Of one replica.
struct TrainingTerms {
    PassTimes pass;  // of one micro-batch; recomputation is part of input_gradient
    Bytes parameters, state;
    Bytes kept;              // for one sample of the replica's own, from its forward pass on
    Bytes kept_for_weights;  // the same, from the gradient of the input to the gradient of the weights
    Bytes recomputed;        // what one micro-batch needs beside while its backward pass runs (recompute alone)
    Duration all_reduce{0};  // of the gradients of all trained parameters, a ring over the replicas
    Duration optimizer{0};   // its step: reading and writing the state once
    friend bool operator==(const TrainingTerms&, const TrainingTerms&) = default;
};

/// O(n log n) in what the stage has of nodes, their tensors and parameters.
[[nodiscard]] TrainingTerms training_terms(const TrainingProblem& problem, const TrainingStage& stage);
/// Of all its trained parameters, each once: what TrainingTerms::all_reduce sums.
[[nodiscard]] Bytes gradients_of(const TrainingProblem& problem, const TrainingStage& stage);
/// Whether the gradient of the weights may come later than that of the input: what it needs is then held that long.
[[nodiscard]] constexpr bool splits_backward(Schedule schedule) { return schedule == Schedule::zero_bubble || schedule == Schedule::list; }
[[nodiscard]] constexpr bool splits_backward(const TrainingStage& stage, Schedule schedule) {
    return splits_backward(schedule) && !stage.joint_backward;
}
/// What one replica needs at most: state + kept x its share of in_flight + recomputed; where the backward pass is split, kept or
/// kept_for_weights, whichever is more: recomputation saves all of kept only where it is not.
[[nodiscard]] Bytes memory_need(const TrainingStage& stage, const TrainingTerms& terms, Schedule schedule = Schedule::one_f_one_b);

/// Samples that one replica of the stage takes of a micro-batch.
[[nodiscard]] constexpr std::int64_t samples_of_replica(const TrainingStage& stage) {
    return (stage.micro_batch + stage.replicas - 1) / stage.replicas;
}

/// What goes from one stage to a later one for one sample, each tensor once, and back.
struct StageEdge {
    std::size_t from = 0, to = 0;
    Bytes activation, gradient;
    bool has_gradient = false;
    std::vector<EdgeId> tensors;  // none where one stage only waits for the other
    friend bool operator==(const StageEdge&, const StageEdge&) = default;
};
/// By `from`, then `to`. Every edge, also one between stages that share their devices. chain: every two stages that follow each other have
/// one, both ways.
[[nodiscard]] std::vector<StageEdge> stage_edges(const TrainingProblem& problem, const TrainingPartition& partition);

/// Samples of two stages travel in chunks that divide both micro-batches: the smaller one where it divides the larger.
[[nodiscard]] std::int64_t chunk_of(const TrainingStage& from, const TrainingStage& to);

/// Of a chunk of so many samples, from all devices of one stage to all of the other. Inside a node every pair of devices has a wire of its
/// own; between nodes the devices of a node share its link. Wires carry whole samples, none more than one more than another. 0 between
/// stages that share their devices.
[[nodiscard]] Duration transfer_time(const TrainingProblem& problem, const TrainingStage& from, const TrainingStage& to, Bytes sample,
                                     std::int64_t samples);
/// A ring over devices [first, first + count): 2 (count - 1) steps of bytes / count.
[[nodiscard]] Duration all_reduce_time(const TrainingProblem& problem, std::int64_t first, std::int64_t count, Bytes bytes);

/// The least caps by design §3.3's rule, sink first: k b for a stage that feeds none, else the largest over its readers y of w_y + max(k b,
/// b_y), rounded up to a multiple of b. Never above the mini-batch. gpipe: the mini-batch. zero-bubble: what the stage that needs most
/// keeps, for all: no device needs more than that one, and what sinks keep longer lets them put off the gradients of weights. interleaved,
/// where all micro-batches are equal: what its order keeps.
void set_in_flight(const TrainingProblem& problem, TrainingPartition& partition);

/// A parameter used in several stages on different devices: its gradients, summed over the replicas of each stage before
/// (TrainingTerms::all_reduce), are summed over the groups of devices.
struct TiedGradient {
    std::vector<std::size_t> stages;  // ascending
    Bytes bytes;                      // of all parameters that these stages share
    Duration all_reduce{0};           // rings over one device of each group, as many at once as the smallest group has, each for a part
    friend bool operator==(const TiedGradient&, const TiedGradient&) = default;
};
[[nodiscard]] std::vector<TiedGradient> tied_gradients(const TrainingProblem& problem, const TrainingPartition& partition);

struct TrainingCost {
    std::vector<TrainingTerms> stages;
    std::vector<Bytes> memory;  // per stage, of one replica: memory_need
    Duration bottleneck{0};     // per sample, rounded up: the busiest device's work, or its transfers in or out, over a mini-batch
    Bytes peak_memory;          // of the device that needs most: the sum over its stages
};
/// Everything but the iteration time, which the schedule decides (simulate/training.hpp).
[[nodiscard]] TrainingCost price(const TrainingProblem& problem, const TrainingPartition& partition);

/// Each failure named: every node once, acyclic stage graph and stages in such an order, nodes of a stage in a topological order; devices
/// that exist, of one class, shared whole or not at all; support; micro-batches that divide the mini-batch; in_flight at least what the
/// rule says and k b; memory.
[[nodiscard]] std::vector<Diagnostic> faults_of(const TrainingProblem& problem, const TrainingPartition& partition);

/// Nodes of every stage and stages sorted topologically, empty stages dropped; fails with the cycle when the stage graph has one.
[[nodiscard]] Result<TrainingPartition> normalise(const TrainingProblem& problem, TrainingPartition partition);

}  // namespace sluice::cost
