// Proofs that no partition exists at all: what makes a planner's "infeasible" final.
#pragma once

#include <optional>

#include "sluice/base/diagnostic.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::inference {

/// A Diagnostic of kind infeasible when it is proven that no partition into at most `stages` stages exists: a node that fits no device on
/// its own (a larger stage needs no less), or more parameters than all devices together hold. nullopt proves nothing. O(n + m).
[[nodiscard]] std::optional<Diagnostic> prove_infeasible(const cost::StageProblem& problem, std::int64_t stages);

}  // namespace sluice::inference
