// The simple bounds (Archer et al., ICML 2024; notes/inference 3.2): no stage is faster than its largest operator, and k devices share all
// work and all that cannot fit in their fast memories together. For the objective latency also the longest path, each operator on its
// fastest class (the stages on it take that long one after the other). O(n + m); deterministic.
#pragma once

#include "sluice/bound/registry.hpp"

namespace sluice::bound {

[[nodiscard]] Result<BoundResult> prove_combinatorial(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                                      const Limits& limits);

}  // namespace sluice::bound
