// The anchored counting bound (notes/inference 7.4, bounds 2.3): every operator takes a share of its stage, its work over what the least
// transfers around it leave for work; the shares of all operators cannot exceed the devices. Never below all work over all devices. One
// flow an operator and threshold. All cost models, by relaxation to the serial problem. Deterministic at any thread count; anytime.
#pragma once

#include "sluice/bound/chain.hpp"

namespace sluice::bound {

/// The best counting bound; a bound of kind counting in any case, if only the trivial one.
[[nodiscard]] Result<BoundResult> prove_counting(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                                 const Limits& limits);
[[nodiscard]] Raised raise_by_counting(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                       const Limits& limits, Duration floor);

}  // namespace sluice::bound
