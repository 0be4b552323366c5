// Plan -> program, for inference (design §1): one channel for each tensor and each stage that reads it, receives first, then the stage,
// then sends; credits so that no skip connection throttles the stages it passes by. O(stages + tensors + operators). Deterministic.
#pragma once

#include "sluice/cost/partition.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/program/program.hpp"

namespace sluice::program {

/// `problem` frozen from `graph` and the plan's platform; `partition` of it (plan::partition_of). Model inputs come from the host, model
/// outputs go to it; tensors made by operators that are replicated for free never cross.
/// Diagnostics: a partition that is none (cost::faults_of).
[[nodiscard]] Result<Program> lower(const graph::Graph& graph, const cost::StageProblem& problem, const cost::Partition& partition);

}  // namespace sluice::program
