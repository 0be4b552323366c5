#include "sluice/mcm/auto.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "sluice/mcm/residual/residual.hpp"
#include "sluice/mcm/search/brkga.hpp"
#include "sluice/mcm/search/keys.hpp"
#include "sluice/mcm/search/lessons.hpp"
#include "sluice/mcm/search/lns.hpp"
#include "sluice/mcm/search/order_dp.hpp"
#include "sluice/mcm/search/trials.hpp"

namespace sluice::mcm {

namespace {

constexpr std::int64_t kNeighbourhoods = 400;  // evaluations of a round of the last part
constexpr std::uint64_t kBarren = 2;           // rounds without a better plan that end it
constexpr std::int64_t kGenerations = 1'000;   // evaluations of a turn of orders bred
constexpr std::int64_t kClose = 20;            // no such turn within one in so many of what is proven

/// Orders that a walk tries: what 2,000 operators take half a second for, more where they are fewer.
std::int64_t orders_of(const ChipProblem& problem) {
    return std::clamp<std::int64_t>(400'000 / static_cast<std::int64_t>(problem.node_count()), 32, 2'000);
}

}  // namespace

Result<PlannerResult> plan_auto(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    Trials trials(problem, options, observer, limits);
    auto candidates = sliced_orders(problem, limits);
    if (candidates.empty()) return fail(no_slicing());
    Lessons lessons(problem);
    std::optional<OrderCandidate> start;
    for (OrderCandidate& candidate : candidates) {
        auto compiled = judge_slicings(problem, candidate.order, candidate.source, lessons, trials, limits);
        if (!compiled) continue;
        candidate.bottleneck = bottleneck(problem, *compiled);
        candidate.chips = *std::move(compiled);
        if (!start || candidate.bottleneck < start->bottleneck) start = std::move(candidate);
    }
    RandomStream random(options.seed);
    const Duration proven = options.proven.value_or(Duration(0));
    if (start) {
        const auto walked = walk_orders(problem, *start, orders_of(problem), proven, lessons, random, limits);
        if (walked.bottleneck < start->bottleneck) judge_slicings(problem, walked.order, walked.source, lessons, trials, limits);
    }
    // The planners' cost is not all there is to the judge.
    if (!trials.found() || trials.best_period() > bottleneck(problem, trials.best()))
        improve_by_residual(problem, options.seed, lessons, trials, limits);
    const auto far = [&] { return bottleneck(problem, trials.best()) > proven + proven / kClose; };
    for (std::uint64_t round = 0, barren = 0; trials.found() && !trials.over(); ++round) {
        const Duration before = trials.best_period();
        if (barren >= kBarren) {
            if (proven == Duration(0) || !far()) break;
            improve_by_brkga(problem, options.seed + round, options.threads, trials, limits, kGenerations);
            if (trials.best_period() == before) break;
            barren = 0;
            continue;
        }
        if (round > 0 && problem.rules.acyclic) {  // else the best follows no order
            OrderCandidate from{trials.best(), bottleneck(problem, trials.best()), order_of(trials.best()), "best so far"};
            const auto walked = walk_orders(problem, std::move(from), orders_of(problem), proven, lessons, random, limits);
            if (walked.chips != trials.best()) judge_slicings(problem, walked.order, walked.source, lessons, trials, limits);
        }
        improve_by_lns(problem, options.seed + round, trials, limits, kNeighbourhoods);
        barren = trials.best_period() < before ? 0 : barren + 1;
    }
    return std::move(trials).finish();
}

}  // namespace sluice::mcm
