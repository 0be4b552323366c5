#include "sluice/mcm/search/exact.hpp"

#include <algorithm>
#include <format>
#include <limits>

#include "sluice/mcm/search/baselines.hpp"
#include "sluice/mcm/search/order_dp.hpp"
#include "sluice/mcm/search/trials.hpp"

namespace sluice::mcm {

namespace {

/// Every legal assignment is a chain that is searched, or no better than one.
bool searches_all(const ChipProblem& problem) {
    const Rules& rules = problem.rules;
    if (!rules.acyclic) return false;
    if (rules.adjacent || rules.relay || !rules.triangle || problem.chips <= 2) return true;
    // A chain of operators with edges more: each chip feeds the next one, so an edge over a chip stands beside a longer way.
    if (!rules.no_skip) return false;
    for (std::size_t v = 0; v + 1 < problem.node_count(); ++v)
        if (!std::ranges::contains(problem.costs->successors[v], NodeId(v + 1))) return false;
    return true;
}

/// Time is left to have the result judged.
Limits for_search(const Limits& limits) {
    Limits own{.deadline = limits.deadline, .evaluations = {}, .stop = limits.stop};
    if (own.deadline) {
        const auto now = Limits::Clock::now();
        own.deadline = now + (*own.deadline - now) / 10 * 9;
    }
    return own;
}

}  // namespace

Result<PlannerResult> plan_exact(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    Trials trials(problem, options, observer, limits);
    const bool whole = searches_all(problem);
    ChipProblem known = problem;  // and what failed to compile
    std::optional<Assignment> first;
    std::optional<Diagnostic> none;
    for (OrderCandidate& candidate : sliced_orders(problem, limits)) {
        first = std::move(candidate.chips);
        break;
    }
    {
        Repair repair(problem);
        RandomStream random(options.seed);
        auto shares = equal_shares(problem, Share::work, repair, random);
        if (!shares)
            none = std::move(shares.error());
        else if (!first || bottleneck(problem, shares->front()) < bottleneck(problem, *first))
            first = std::move(shares->front());
    }
    // What is not judged here is judged when nothing better is found.
    const bool only_one = limits.evaluations && *limits.evaluations <= 1 && !limits.deadline;
    std::optional<Duration> below;
    ExactResult found;
    bool learning = true;
    const auto ask = [&](const Assignment& chips, std::string_view source) {
        const Verdict* verdict = trials.ask(chips, source);
        if (verdict == nullptr) return false;
        learning = verdict->failure && !verdict->failure->nodes.empty();
        if (learning) known.nogoods.push_back(verdict->failure->nodes);
        return verdict->fits();
    };
    if (first && (only_one || ask(*first, "orders"))) below = bottleneck(problem, *first);
    if (first && !below && !learning) return std::move(trials).finish();
    for (bool again = true; again && !trials.over();) {
        again = false;
        ExactOptions search{.below = below};
        if (limits.deadline) search.nodes = std::numeric_limits<std::int64_t>::max();
        found = search_chains(known, search, for_search(limits));
        if (found.best)
            again = !ask(*found.best, "chains of downsets") && learning;
        else if (only_one && first)
            ask(*first, "orders");
    }
    if (!trials.found() && first && !whole && learning) {
        // What the rules allow beside what is searched.
        RandomStream random(options.seed);
        while (learning && !trials.over()) {
            Repair repair(known);
            const auto fixed = repair.fix(*first, bisection_order(*problem.costs), random);
            if (!fixed || ask(*fixed, "repaired")) break;
        }
    }
    if (!trials.found() && trials.evaluations() == 0 && none) return fail(*std::move(none));
    const bool complete = found.outcome == ExactOutcome::complete;
    bool optimal = false;
    if (trials.found()) {
        const Duration planned = bottleneck(problem, trials.best());
        optimal = complete && whole && trials.best_period() == std::max(planned, Duration(1)) && planned <= found.proven;
    }
    auto result = std::move(trials).finish(optimal ? StopReason::optimal : StopReason::finished);
    if (!result) return result;
    if (!complete) {
        Diagnostic warning{DiagnosticKind::stopped, "the search of downsets did not end: nothing is proven of this plan", {}, {}, {}};
        result->warnings.push_back(
            std::move(warning).note(std::format("{} downsets were kept, {} sets of operators looked at; no plan of less than {} "
                                                "exists among those searched",
                                                found.states, found.nodes, sluice::to_text(found.proven))));
    } else if (!whole) {
        result->warnings.push_back({DiagnosticKind::stopped,
                                    "the best of the assignments whose transfers all go to the next chip; the rules allow others",
                                    {},
                                    {},
                                    {}});
    }
    return result;
}

}  // namespace sluice::mcm
