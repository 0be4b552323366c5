// The chain-of-cuts bound (notes/bounds 2.2): the largest threshold that the chain of cuts refutes, over several orders of the operators,
// both kinds of types and shares of spill and overlap. Polynomial: 3 small flows an operator and order, then O(k n window) a threshold.
// All cost models, by relaxation to the serial problem. Deterministic at any thread count; anytime.
#pragma once

#include "sluice/bound/registry.hpp"

namespace sluice::bound {

/// The best chain bound; a bound of kind chain in any case, if only the trivial one.
[[nodiscard]] Result<BoundResult> prove_chain(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                              const Limits& limits);

/// What chains prove above `floor`.
[[nodiscard]] Raised raise_by_chains(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                     const Limits& limits, Duration floor);

}  // namespace sluice::bound
