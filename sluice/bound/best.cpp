#include "sluice/bound/best.hpp"

#include <algorithm>
#include <array>

#include "sluice/bound/anchored_cut.hpp"
#include "sluice/bound/chain.hpp"
#include "sluice/bound/combinatorial.hpp"
#include "sluice/bound/counting.hpp"
#include "sluice/bound/covering.hpp"
#include "sluice/bound/downset_bound.hpp"
#include "sluice/bound/waypoints.hpp"

namespace sluice::bound {

Result<BoundResult> prove_best(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits) {
    if (auto sound = refuse_empty(problem, options); !sound) return fail(sound.error());
    auto best = prove_combinatorial(problem, options, observer, limits);
    if (!best) return best;
    for (const auto raise : {raise_by_waypoints, raise_by_cuts, raise_by_chains, raise_by_covering, raise_by_counting, raise_by_downsets}) {
        if (best->termination.reason != StopReason::finished) break;
        if (raise == &raise_by_waypoints && !hard_memory(problem)) continue;  // what they say of work the chain says, too
        Raised raised = raise(problem, options, observer, limits, best->certificate.value);
        best->termination.reason = raised.termination.reason;
        best->termination.seconds += raised.termination.seconds;
        best->termination.evaluations += raised.termination.evaluations;
        if (!raised.certificate) continue;
        best->weaker.push_back(std::move(best->certificate));
        best->certificate = *std::move(raised.certificate);
    }
    return best;
}

}  // namespace sluice::bound
