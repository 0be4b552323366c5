// Planners on the downset engine (search/downset_engine.hpp).
// `auto`: slices heavy-cone orders, then, in rounds of growing effort until a limit or a proof: a complete search just below the best, a
// beam well below it, moves on the partition (notes/bounds 3 and 4). `exact`: complete search below the best until nothing is left.
// Deterministic under Limits::evaluations at any thread count; search::kNodesPerEvaluation search nodes count as one evaluation.
#pragma once

#include "sluice/inference/registry.hpp"

namespace sluice::inference {

[[nodiscard]] Result<PlannerResult> plan_auto(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                              const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_beam(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                              const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_exact(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                               const Limits& limits);

}  // namespace sluice::inference
