// Sluice's own planner of training: the least iteration time.
//
// 1. Layouts (layout.hpp): for every order, micro-batch, number of replicas and of slices a device, cuts that load devices evenly
//    (slicing.hpp).
// 2. Each is scheduled by Schedule::list with as many samples in flight as memory holds (memory_fit.hpp) and timed; those whose estimated
//    load is above the best time are left out. The most promising first, so that little is lost when time runs out. Slices on several
//    devices are tried in pieces, too: sums of gradients then run beside passes.
// 3. The best one of each shape is walked: cuts move, slices split and join, devices change hands, micro-batches halve and double, while
//    that does not make them slower.
// 4. The best ones are simulated with contention; the winner gives back memory that it does not need.
// GraphPipe's plan, found in milliseconds, is a candidate as it is and under this schedule: auto is never worse.
// Deterministic under an evaluation limit, in the seed.
#pragma once

#include "sluice/training/registry.hpp"

namespace sluice::training {

[[nodiscard]] Result<PlannerResult> plan_auto(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                              const Limits& limits);

}  // namespace sluice::training
