// Large-neighbourhood search under the judge: 3 to 6 consecutive chips of the best assignment are freed, their operators ordered anew and
// sliced to optimality (window.hpp), and the judge is asked. Taken when its period is less, or the same with a smaller norm of chip times.
// Windows lie around the chip that takes longest in two of three turns, anywhere in the third. What does not compile is learnt where the
// verdict says what it was; else no chip with the same operators is asked for again.
// Starts from options.start, else from the best of sliced orders and equal shares; where those do not compile, from repairs of them and
// samples near equal shares. One evaluation a proposal; what was judged is not judged again. Ends when nothing new comes up.
#pragma once

#include "sluice/mcm/search/trials.hpp"

namespace sluice::mcm {

[[nodiscard]] Result<PlannerResult> plan_by_lns(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                const Limits& limits);

/// From the best of `trials`, which has one, until they are over or nothing new comes up. `evaluations`: of its own, at most.
void improve_by_lns(const ChipProblem& problem, std::uint64_t seed, Trials& trials, const Limits& limits, std::int64_t evaluations);

}  // namespace sluice::mcm
