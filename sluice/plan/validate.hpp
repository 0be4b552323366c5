// Is this plan what it says, for this model? From files alone: structure, device counts, memory and every predicted number are recomputed.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sluice/plan/plan.hpp"

namespace sluice::plan {

/// Every failure found, each with its stage or operator (costs are compared only for a plan whose structure holds); empty when the plan
/// holds. `problem` must be frozen from `graph` and the plan's own platform and stage limit.
[[nodiscard]] std::vector<Diagnostic> validate(const Plan& plan, const graph::Graph& graph, const cost::FrozenProblem& frozen);

/// That the plan is for another model, and how it was made; nothing when it is for this one.
[[nodiscard]] std::optional<Diagnostic> other_model(const Plan& plan, const graph::Graph& graph);
/// What is wrong with a claimed bound on a value of the plan, called `what`.
[[nodiscard]] std::vector<Diagnostic> bound_failures(const BoundClaim& bound, Duration value, std::string_view what);

}  // namespace sluice::plan
