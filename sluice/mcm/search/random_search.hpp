// Random search: draws assignments, asks for each, keeps the best. What is drawn decides what comes out (notes/mcm.md §3.3):
//   random             SAMPLE, all chips alike, the nodes in a random order (Xie et al.'s baseline)
//   random-bisection   the same, in the order of bisection
//   random-cuts        one of the known orders cut at places drawn evenly, repaired by FIX
//   random-keys        an order from keys drawn evenly between a node's earliest and latest level, its best slicing under the planners'
//   cost random-equal-work  SAMPLE from the equal-work prior: a node's chip is its work position plus noise; nothing is learnt
// Where SAMPLE under wide rules runs into its limit on large graphs, Repair draws under acyclic and adjacent, which are stricter.
// Ends with the limits; without any after Budget::kEvaluations. Evaluation i draws from stream i of the seed.
#pragma once

#include <vector>

#include "sluice/mcm/registry.hpp"

namespace sluice::mcm {

[[nodiscard]] Result<PlannerResult> plan_by_random(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                   const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_by_random_bisection(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                             const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_by_random_cuts(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                        const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_by_random_keys(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                        const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_by_random_equal_work(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                              const Limits& limits);

/// Node x chip: a Gaussian around the middle of the node's share of the work in `order`, `spread` chips wide, cut into chips. No entry is
/// 0.
[[nodiscard]] std::vector<float> equal_work_prior(const ChipProblem& problem, std::span<const NodeId> order, double spread);

}  // namespace sluice::mcm
