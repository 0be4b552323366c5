// Data parallelism: the whole model on every device of one class, each micro-batch shared out among them, gradients summed once a
// mini-batch. What is used before pipelines are (Li et al., VLDB 2020, PyTorch's DistributedDataParallel with gradient accumulation).
// Every micro-batch size, recomputation where the memory asks for it; each candidate is simulated unless its passes alone take longer than
// the best. O(divisors of the mini-batch x (model + micro-batches)). Deterministic.
#pragma once

#include "sluice/training/registry.hpp"

namespace sluice::training {

[[nodiscard]] Result<PlannerResult> plan_data_parallel(const cost::TrainingProblem& problem, const PlannerOptions& options,
                                                       Observer& observer, const Limits& limits);

}  // namespace sluice::training
