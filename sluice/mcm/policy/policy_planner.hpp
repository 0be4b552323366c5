// Planner `policy`: the policy's distribution, zero-shot, through SAMPLE (bisection order), every sample judged; Xie et al. (MLSys 2022).
// The first candidates are equal work, and the policy's most likely chip for each node, repaired. What did not compile is a nogood from
// then on. Forward pass once, then 0.2 to 0.5 ms a sample at 2,000 nodes. Deterministic under Limits::evaluations.
#pragma once

#include <span>

#include "sluice/mcm/registry.hpp"
#include "sluice/mcm/sample.hpp"

namespace sluice::mcm::policy {

/// With neither a deadline nor a limit of evaluations.
inline constexpr std::int64_t kSamples = 1'000;

/// Each node's most likely chip, repaired. `rows`: node x chip, of the solver's problem. Diagnostics: those of fix().
[[nodiscard]] Result<Fixed> likeliest(std::span<const float> rows, ChipSolver& solver, std::span<const NodeId> order, RandomStream& random);

/// PlannerOptions::policy, else the shipped one.
[[nodiscard]] Result<PlannerResult> plan_by_policy(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                   const Limits& limits);

}  // namespace sluice::mcm::policy
