// Planners that slice orders: make an order, slice it optimally, keep the best (Archer et al., ICML 2024, SliceGraph; orders of
// notes/bounds 3). Orders are made and sliced in batches of fixed size, each against the best of the batches before, and compared in index
// order: the result depends on seed and evaluations, never on threads. Anytime: a limit stops inside a slicing and what was found is
// returned.
#pragma once

#include <span>

#include "sluice/inference/order_maker.hpp"
#include "sluice/inference/registry.hpp"

namespace sluice::inference {

/// Slices each of `first` as it is, then perturbed orders of the kinds in `perturbed` in turn, order i with random stream i of the seed,
/// until a limit: Limits::evaluations, else a default that shrinks with the problem so that 10,000 nodes take seconds.
[[nodiscard]] Result<PlannerResult> plan_by_orders(const cost::StageProblem& problem, std::span<const OrderKind> first,
                                                   std::span<const OrderKind> perturbed, const PlannerOptions& options, Observer& observer,
                                                   const Limits& limits);

}  // namespace sluice::inference
