// A training partition as its schedule sees it: stages that take so long, chunks that travel so long, groups of devices that do one thing
// at a time. Nothing of operators, bytes or links.
#pragma once

#include <cstdint>
#include <vector>

#include "sluice/cost/training_partition.hpp"

namespace sluice::program {

struct PipelineStage {
    Duration forward{0}, input_gradient{0}, weight_gradient{0};  // of one micro-batch
    Duration all_reduce{0}, optimizer{0};                        // once, afterwards; a group sums the gradients of one stage at a time
    std::int64_t micro_batch = 1;                                // samples
    std::int64_t count = 1;                                      // micro-batches of a mini-batch
    std::int64_t k = 1;
    std::int64_t in_flight = 1;  // most micro-batches whose forward pass ran and whose backward pass did not
    std::uint32_t group = 0;
    bool joint_backward = false;  // both gradients in one pass: always so where the schedule does not split them
    friend bool operator==(const PipelineStage&, const PipelineStage&) = default;
};

struct PipelineEdge {
    std::uint32_t from = 0, to = 0;
    std::int64_t chunk = 1;               // samples; divides both micro-batches
    Duration activation{0}, gradient{0};  // transfer of one chunk
    bool has_gradient = true;             // false: nothing upstream is trained
    friend bool operator==(const PipelineEdge&, const PipelineEdge&) = default;
};

struct Pipeline {
    std::int64_t mini_batch = 1;
    std::vector<PipelineStage> stages;  // in a topological order
    std::vector<PipelineEdge> edges;    // by `from`, then `to`
    std::uint32_t groups = 0;           // of devices, numbered by their first stage
    friend bool operator==(const Pipeline&, const Pipeline&) = default;
};

/// In the serial model a pass lasts as long as what it receives, itself and what it sends together, and chunks travel in no time.
[[nodiscard]] Pipeline pipeline_of(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition);

}  // namespace sluice::program
