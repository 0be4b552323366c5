// `residual`: learns what the planners' cost gets wrong from judged plans, and plans again under the corrected cost, by slicing the
// orders. The analytical plan is judged first and is never lost. Where the judge tells chip times: reweighting, the perceptron, and the
// perceptron reweighted, in turn, until none has a plan that is new; then, and at once where there is throughput alone, an evolution
// strategy over a linear correction (weights of the local features, link rate, message cost): 20 a generation, the best quarter's mean.
// A failure to compile is a lesson (lessons.hpp). A plan that was judged before is not judged again.
// Deterministic. Memory: what was judged, chips x feature rows each.
#pragma once

#include "sluice/mcm/registry.hpp"
#include "sluice/mcm/search/lessons.hpp"
#include "sluice/mcm/search/trials.hpp"

namespace sluice::mcm {

[[nodiscard]] Result<PlannerResult> plan_by_residual(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                     const Limits& limits);

struct ResidualOptions {
    std::int64_t with_chip_times = 24;  // evaluations of the learners, at most
    int generations = 40;               // of evolution, at most
    int patience = 10;                  // generations without a better plan
};
/// The same within the trials of another search.
void improve_by_residual(const ChipProblem& problem, std::uint64_t seed, Lessons& lessons, Trials& trials, const Limits& limits,
                         const ResidualOptions& options = {});

}  // namespace sluice::mcm
