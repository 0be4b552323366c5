// The bound by complete downset search (notes/bounds 2.5): the largest threshold that the search engine refutes, sought between what is
// known and the best plan in rounds of growing effort; the kept downsets are the witness. All cost models, by relaxation to the serial
// problem. Exponential in the worst case, anytime. Under Limits::evaluations (a thousand search nodes count as one) deterministic at any
// thread count.
#pragma once

#include "sluice/bound/registry.hpp"

namespace sluice::bound {

/// The best bound by downset search; the trivial one in any case.
[[nodiscard]] Result<BoundResult> prove_exact_dp(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                                 const Limits& limits);

/// What downset search proves above `floor`.
[[nodiscard]] Raised raise_by_downsets(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                       const Limits& limits, Duration floor);

}  // namespace sluice::bound
