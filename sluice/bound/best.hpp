// What `auto` proves: one bound after another, cheapest first, each only looking for more than is known, until enough is proven.
// Deterministic where its parts are; anytime.
#pragma once

#include "sluice/bound/registry.hpp"

namespace sluice::bound {

[[nodiscard]] Result<BoundResult> prove_best(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                             const Limits& limits);

}  // namespace sluice::bound
