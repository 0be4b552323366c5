// GraphPipe's planner (Jeon et al., "GraphPipe: Improving Performance and Scalability of DNN Training with Graph Pipeline Parallelism",
// ASPLOS 2025), which was never released. Stages form a graph: branches of the model run beside each other, so that fewer micro-batches are
// in flight and they can be larger. Its objective is the bottleneck, the time per sample of the slowest stage (cost::price); by bisection
// on it, a dynamic programme over series-parallel parts asks for a split among the devices that meets it (search.hpp) within
// memory. Models that are not series-parallel are planned as if more operators waited for each other (graph/series_parallel.hpp). Devices
// are of one class: the one with the most compute that supports all operators.
//
// For each micro-batch, the powers of two that divide the mini-batch, largest first, the split of the least bottleneck is kept, and of that
// bottleneck the one with the fewest samples in flight; of these, each also with micro-batches up to four times as large or small, the one
// with the least iteration time wins, so a micro-batch whose bottleneck alone takes longer is left out. What the search cannot know of
// neighbours and places it takes for granted; where cost::price is over 2 % worse, a second search takes the worst for granted.
// Deterministic. O(log(1 / 1e-4)) searches a micro-batch.
#pragma once

#include "sluice/training/registry.hpp"

namespace sluice::training {

/// One micro-batch size for all stages, 1F1B: what the paper measures.
[[nodiscard]] Result<PlannerResult> plan_by_graphpipe(const cost::TrainingProblem& problem, const PlannerOptions& options,
                                                      Observer& observer, const Limits& limits);

/// Also plans whose stages have micro-batches of two or three sizes that follow each other, and kFkB where a stage feeds one of larger
/// micro-batches: k > 1 lowers no bottleneck and no memory, so it is tried where it costs no sample in flight.
[[nodiscard]] Result<PlannerResult> plan_by_graphpipe_full(const cost::TrainingProblem& problem, const PlannerOptions& options,
                                                           Observer& observer, const Limits& limits);

}  // namespace sluice::training
