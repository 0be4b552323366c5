// What a training plan takes: the one judge of all planners. The partition is lowered to its program under its schedule and simulated.
#pragma once

#include <optional>

#include "sluice/base/stop.hpp"
#include "sluice/cost/training_partition.hpp"

namespace sluice::training {

/// Iteration time of a mini-batch: from the start of the first forward pass to the end of the last optimiser step.
/// Needs a partition without faults. O(instructions log devices).
[[nodiscard]] Duration iteration_time(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition);
/// nullopt: a deadline passed or somebody's wish came before it was known; within milliseconds of it, however long the evaluation.
[[nodiscard]] std::optional<Duration> iteration_time(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition,
                                                     const Limits& limits);

/// Devices of the platform, numbered class after class.
[[nodiscard]] std::int64_t device_count(const cost::TrainingProblem& problem);

/// Of a stage, where the planner has the choice: beyond so many nothing is gained, and everything takes long to simulate.
inline constexpr std::int64_t kMostMicroBatches = 4096;

/// Micro-batch sizes a plan may have: the divisors of the mini-batch, ascending; with `powers` its powers of two alone.
[[nodiscard]] std::vector<std::int64_t> micro_batches(const cost::TrainingProblem& problem, bool powers);

}  // namespace sluice::training
