// Waypoints: operators of which each feeds the next, if only by others. What lies on ways to the first, between neighbours and on ways from
// the last takes stages of its own but for those that hold the waypoints themselves, and each part needs as many as its work at the
// threshold, or its parameters at the largest memory when every class has a hard limit, take. The first argument after heads and tails of
// machine scheduling; the second is what makes a hard memory count. No waypoint: all work over all devices, all parameters over all
// memories. Holds without transfers, and for plans that run operators more than once (Certificate::transfers).
// At most 192 candidates: O(192 (n + m) + 192^2 (n + users of shared parameters)). Deterministic; anytime: what was proven so far is
// returned.
#pragma once

#include "sluice/bound/registry.hpp"

namespace sluice::bound {

/// Of the largest class with devices, in bytes; nullopt: some class has no hard limit, so parameters say nothing of stages.
[[nodiscard]] std::optional<std::int64_t> hard_memory(const cost::StageProblem& problem);

/// The best bound by waypoints; one of that kind in any case, if only the trivial one.
[[nodiscard]] Result<BoundResult> prove_waypoints(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                                  const Limits& limits);
[[nodiscard]] Raised raise_by_waypoints(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                        const Limits& limits, Duration floor);

}  // namespace sluice::bound
