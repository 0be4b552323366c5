// Plan -> program, for inference (design §1): one channel for each tensor and each stage that reads it, receives first, then the stage,
// then sends. O(stages + tensors + operators + instructions). Deterministic.
//
// Credits. With a period T >= f/r of every stage, let each stage take up input i at time T (i + level) and be done with it r periods later
// (f <= r T). That is a schedule whenever level(v) >= level(u) + r(u) for every channel u -> v and the message of input i + credits r(v),
// which leaves not before T (i + credits r(v) + level(u)), finds the buffer of input i free, by T (i + level(v) + r(v)):
//     credits r(v) >= level(v) - level(u) + r(v).
// The program is a timed event graph, in which starting everything as early as possible is no slower than any schedule, so these credits
// throttle nothing, skip connections included. Longest paths from u to v alone would be too few: a ring of channels that is no directed
// path between two stages throttles as well. On overlapping devices in, work and out are three such steps. Where more bytes leave a
// stage than enter it, it is put on a later level, else on an earlier one, which saves buffers. Credits are rounded up to powers of two.
#pragma once

#include "sluice/cost/partition.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/program/program.hpp"

namespace sluice::program {

/// `problem` frozen from `graph` and the plan's platform; `partition` of it (plan::partition_of). Model inputs come from the host, model
/// outputs go to it; tensors made by operators that are replicated for free never cross. Bytes are those that the cost model counts
/// (Platform::tensor_type), for a model output that no other stage reads the tensor's own. A stage that reads nothing has no receive.
/// Diagnostics: a partition that is none (cost::faults_of); more than kMostRanks processes.
[[nodiscard]] Result<Program> lower(const graph::Graph& graph, const cost::StageProblem& problem, const cost::Partition& partition);

}  // namespace sluice::program
