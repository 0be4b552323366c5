// The covering bound (docs/explanation/bounds.md, "Covering"; this project's own): weights of operators such that no stage below a
// threshold weighs more than its devices; when all weights together are above k devices, no partition is below it. The best weights are the
// dual of covering the operators with stages, a linear program of which the stages that matter are priced one by one (column generation):
// search/stage_pricing finds the stages that the weights overrate, a small program in a box around the best weights so far makes better
// ones (Marsten, Hogan, Blankenship 1975). Polynomial where few tensors cross a cut; elsewhere it charges fewer tensors, and proves less.
// Deterministic without a deadline; anytime.
#pragma once

#include "sluice/bound/chain.hpp"

namespace sluice::bound {

/// The best covering bound; a bound of kind covering in any case, if only the trivial one.
[[nodiscard]] Result<BoundResult> prove_covering(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                                 const Limits& limits);
[[nodiscard]] Raised raise_by_covering(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                       const Limits& limits, Duration floor);

}  // namespace sluice::bound
