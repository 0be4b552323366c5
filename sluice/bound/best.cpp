#include "sluice/bound/best.hpp"

#include <algorithm>
#include <vector>

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
    std::vector raises{raise_by_cuts, raise_by_chains, raise_by_covering, raise_by_counting, raise_by_downsets};
    if (hard_memory(problem)) raises.insert(raises.begin(), raise_by_waypoints);  // what they say of work the chain mostly says, too
    for (const auto raise : raises) {
        if (best->termination.reason != StopReason::finished) break;
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
