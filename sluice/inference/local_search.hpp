// Local search on partitions and its memetic form (notes/inference 7.6; bounds 3: the diversification before exact search).
//   local-search  rounds of annealing walks (walk.hpp) from one partition, each followed by an optimal slicing of an order that agrees with
//                 the partition; walks get longer while nothing improves, then it starts again from another order or a kicked best
//   memetic       a pool of partitions from slicings of all kinds of orders; children take the first stages of one parent and the rest of
//                 the other, or the union or meet of both chains of downsets; each is sliced, walked and sliced again before it competes
// An evaluation is a move priced or an order sliced. Walks run in batches of fixed size, each with its own random stream, and are compared
// in index order: the result depends on seed and evaluations, never on threads. Acceptance inside a walk is by a smoothed sum in fixed
// point; what is kept is decided by the objective alone. Anytime. Memory O(threads (nodes + edges) + pool nodes).
#pragma once

#include "sluice/inference/registry.hpp"

namespace sluice::inference {

[[nodiscard]] Result<PlannerResult> plan_by_local_search(const cost::StageProblem& problem, const PlannerOptions& options,
                                                         Observer& observer, const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_by_memetic(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                                    const Limits& limits);

/// The better of the two from a valid partition on: for other planners, with a budget in `limits`. Never worse than `start`.
[[nodiscard]] Result<PlannerResult> improve(const cost::StageProblem& problem, const cost::Partition& start, PlannerOptions options,
                                            Observer& observer, const Limits& limits);

}  // namespace sluice::inference
