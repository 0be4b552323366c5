// Biased random-key genetic algorithm over orders (Goncalves and Resende, J. Heuristics 2011; Archer et al., ICML 2024, Algorithm 2): keys
// per node -> Kahn's algorithm, the smallest key first -> best slicing under the planners' cost -> the judge's period. The first generation
// holds options.start, the known orders, small changes of them, and keys between earliest and latest level, which are the mutants too.
// Elite 0.2, mutants 0.15, bias 0.7 to the elite parent, as published; the population is the square root of the evaluations, 10 to 100.
// What slices to an assignment judged before is not judged again. Members are decoded in batches on options.threads; each has its own
// random stream, so the result depends on seed and evaluations only. O(slicing) a member.
#pragma once

#include "sluice/mcm/search/trials.hpp"

namespace sluice::mcm {

[[nodiscard]] Result<PlannerResult> plan_by_brkga(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                  const Limits& limits);

/// From the best of `trials`, which has one. `evaluations`: of its own, at most.
void improve_by_brkga(const ChipProblem& problem, std::uint64_t seed, int threads, Trials& trials, const Limits& limits,
                      std::int64_t evaluations);

}  // namespace sluice::mcm
