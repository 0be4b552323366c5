// One model into each of several numbers of stages, sharing what holds for more than one of them (all of it exact, none of it heuristic):
// - a plan for k is one for k + 1: it starts the next search, so that more stages are never worse;
// - a plan for k + 1 on at most k devices is one for k;
// - a bound for k + 1 holds for k; one for k is offered to k + 1 (cuts and largest operators do not depend on k). Certificates travel only
//   where the independent checker accepts them for the problem they come to; those whose check is as long as their proof travel down only,
//   and only while there is time.
// The problem is frozen once: only the devices of the first class depend on k (cost::allow_stages). Time is shared evenly by what is left
// to do, so that what one leaves the others get. Deterministic under Limits::evaluations, which each number of stages gets anew.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "sluice/solve/solve.hpp"

namespace sluice::solve {

/// The even share of what is left, for the next of `count`.
[[nodiscard]] Limits share_of(const Limits& limits, std::size_t count);

struct SweepPoint {
    std::int64_t stages = 0;
    std::optional<SolveResult> result = {};
    std::optional<Diagnostic> failure = {};  // why there is none
};

/// `problem`: frozen for the fewest stages (or the platform's own); `stages`: ascending, each at least 1. `observer_for` is called before
/// each. Interrupted: the points so far. Diagnostics: only what is wrong for every point (an unknown method).
[[nodiscard]] Result<std::vector<SweepPoint>> sweep(const cost::StageProblem& problem, std::span<const std::int64_t> stages,
                                                    const SolveOptions& options, const std::function<Observer&(std::int64_t)>& observer_for,
                                                    const Limits& limits);

}  // namespace sluice::solve
