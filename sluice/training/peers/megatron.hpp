// Megatron-LM's rule of thumb (Narayanan et al., SC 2021, sections 2.2 and 3): p pipeline stages of equally many layers, each on d of the p
// d devices, under 1F1B; or p v stages, v of them on each group of devices, interleaved. Every p that divides the devices, every v up to 8,
// every micro-batch size, recomputation everywhere or nowhere; the best by simulated iteration time, as its users tune it.
// Layers are the operators with parameters, and where these do not divide evenly the first stages get one more; what lies between
// two of them is cut where least crosses. Equal counts of all operators are tried too. Deterministic.
#pragma once

#include "sluice/training/registry.hpp"

namespace sluice::training {

[[nodiscard]] Result<PlannerResult> plan_by_megatron(const cost::TrainingProblem& problem, const PlannerOptions& options,
                                                     Observer& observer, const Limits& limits);

}  // namespace sluice::training
