// What a compiler does without searching: one assignment by a rule, made legal. One evaluation; more only where an assignment does not
// compile: then what failed is learnt and the next one is asked for.
//   greedy           nodes in topological order; a chip is filled to the average work of all chips, or to what its memory holds; where the
//                    rules leave no choice they win (a chip is overfull while an edge spans it)
//   equal-operators  every known order cut into equal numbers of operators, or
//   equal-work       shares of work, the cuts repaired by FIX; the best under the planners' cost is judged
// The walks of FIX that are tried: bisection and topological. Where no equal share compiles, repaired or not: the evenest slicings of the
// known orders, with what failures teach (lessons.hpp).
#pragma once

#include "sluice/mcm/registry.hpp"
#include "sluice/mcm/search/cuts.hpp"
#include "sluice/mcm/search/repair.hpp"

namespace sluice::mcm {

[[nodiscard]] Result<PlannerResult> plan_by_greedy(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                   const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_by_equal_operators(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                            const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_by_equal_work(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                       const Limits& limits);

/// Legal, the best of the known orders under the planners' cost first; one from each order and walk, no two the same. Diagnostics: none
/// could be made legal.
[[nodiscard]] Result<std::vector<Assignment>> equal_shares(const ChipProblem& problem, Share share, Repair& repair, RandomStream& random);

}  // namespace sluice::mcm
