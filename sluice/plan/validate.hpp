// Is this plan what it says, for this model? From files alone: structure, device counts, memory and every predicted number are recomputed.
#pragma once

#include <vector>

#include "sluice/plan/plan.hpp"

namespace sluice::plan {

/// Every failure found, each with its stage or operator (costs are compared only for a plan whose structure holds); empty when the plan
/// holds. `problem` must be frozen from `graph` and the plan's own platform and stage limit.
[[nodiscard]] std::vector<Diagnostic> validate(const Plan& plan, const graph::Graph& graph, const cost::FrozenProblem& frozen);

}  // namespace sluice::plan
