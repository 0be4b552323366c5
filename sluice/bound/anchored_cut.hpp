// Anchored minimum cut (notes/inference 7.1): every node lies in some stage, so the bottleneck is at least
// max over v of min { f(S) : v in S }, and the inner problem, with spill and overlap relaxed to a weighted sum, is one minimum cut.
// One network for all anchors of a weighting; an anchor inside another's minimum cut cannot prove more and is skipped; so is one whose
// cut alone proves no more than is known. At most n flows a weighting. Under overlap and spill the best anchors' weights are then refined:
// the bound is concave in them. Deterministic at any thread count: anchors are solved in batches of fixed sizes and compared in order.
// Anytime: what was proven so far is returned. Limits::evaluations is not counted here.
#pragma once

#include "sluice/bound/registry.hpp"

namespace sluice::bound {

/// The best cut bound; a bound of kind cut in any case, if only the trivial one.
[[nodiscard]] Result<BoundResult> prove_cut(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                            const Limits& limits);

/// What cuts prove above `floor`.
[[nodiscard]] Raised raise_by_cuts(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits,
                                   Duration floor);

}  // namespace sluice::bound
