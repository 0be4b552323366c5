// Plans for the latency of one input: any planner's plan for throughput, one stage for all, every slicing on fewer devices, and groupings
// that let parallel branches run at once (search/cluster), each improved by local moves (search/settle); the best by latency, then
// bottleneck. Candidates are made in a fixed order and compared in it: the result depends on seed and evaluations, never on threads.
#pragma once

#include "sluice/inference/registry.hpp"

namespace sluice::inference {

/// `planner` under the objective latency. With Limits::evaluations half of them are the planner's, else half of the time.
[[nodiscard]] Result<PlannerResult> plan_for_latency(const Planner& planner, const cost::StageProblem& problem,
                                                     const PlannerOptions& options, Observer& observer, const Limits& limits);

/// The planner's plan, improved where that costs the objective nothing (a baseline's only for latency): what solve/ calls for either
/// objective.
[[nodiscard]] Result<PlannerResult> plan_for(const Planner& planner, const cost::StageProblem& problem, const PlannerOptions& options,
                                             Observer& observer, const Limits& limits);

}  // namespace sluice::inference
