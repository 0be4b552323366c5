#include "sluice/mcm/search/random_search.hpp"

#include <cmath>
#include <numbers>

#include "sluice/mcm/search/budget.hpp"
#include "sluice/mcm/search/cuts.hpp"
#include "sluice/mcm/search/keys.hpp"
#include "sluice/mcm/search/repair.hpp"

namespace sluice::mcm {

namespace {

/// notes/mcm-policy.md §3: of the spreads 0.4 and 0.25 the better one on bert-36, where it was chosen.
constexpr double kSpread = 0.25;

/// draw(repair, evaluation, random): the next assignment, legal.
template <typename Draw>
Result<PlannerResult> search(const ChipProblem& problem, std::string_view source, const PlannerOptions& options, Observer& observer,
                             const Limits& limits, Draw&& draw) {
    constexpr int kMostFailures = 10;  // draws, one after the other
    Trials trials(problem, options, observer, limits);
    const Budget budget(trials, limits);
    Repair repair(problem);
    int failures = 0;
    for (std::uint64_t i = 0; !budget.spent(); ++i) {
        RandomStream random(options.seed, i);
        auto chips = draw(repair, i, random);
        if (!chips) {
            if (++failures < kMostFailures && chips.error().kind == DiagnosticKind::stopped) continue;
            if (trials.evaluations() == 0) return fail(std::move(chips.error()));
            break;
        }
        failures = 0;
        const Verdict* verdict = trials.ask(*chips, source);
        if (verdict == nullptr) break;
        repair.learn(*verdict);
    }
    return std::move(trials).finish();
}

}  // namespace

std::vector<float> equal_work_prior(const ChipProblem& problem, std::span<const NodeId> order, double spread) {
    const std::vector<double> position = work_positions(problem, order);
    std::vector<float> prior(position.size() * problem.chips);
    const auto below = [&](double x) { return 0.5 * std::erfc(-x / spread / std::numbers::sqrt2); };
    for (std::size_t v = 0; v < position.size(); ++v)
        for (std::size_t d = 0; d < problem.chips; ++d) {
            const double begin = static_cast<double>(d) - position[v], end = begin + 1;
            // Where the rules leave only what is far out, the nearer is still the likelier.
            const double tail = 1e-9 * std::exp2(-std::abs(begin + 0.5));
            prior[v * problem.chips + d] = static_cast<float>(below(end) - below(begin) + tail);
        }
    return prior;
}

Result<PlannerResult> plan_by_random(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    return search(problem, "random", options, observer, limits, [&](Repair& repair, std::uint64_t, RandomStream& random) {
        return repair.sample({}, walk_order(*problem.costs, WalkOrder::random, random), random);
    });
}

Result<PlannerResult> plan_by_random_bisection(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                               const Limits& limits) {
    const auto order = bisection_order(*problem.costs);
    return search(problem, "random-bisection", options, observer, limits,
                  [&](Repair& repair, std::uint64_t, RandomStream& random) { return repair.sample({}, order, random); });
}

Result<PlannerResult> plan_by_random_cuts(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                          const Limits& limits) {
    const auto orders = known_orders(*problem.costs);
    const auto walk = bisection_order(*problem.costs);
    return search(problem, "random-cuts", options, observer, limits, [&](Repair& repair, std::uint64_t i, RandomStream& random) {
        return repair.fix(cut_anywhere(problem, orders[i % orders.size()], random), walk, random);
    });
}

Result<PlannerResult> plan_by_random_keys(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                          const Limits& limits) {
    Trials trials(problem, options, observer, limits);
    const Budget budget(trials, limits);
    const LevelKeys levels(*problem.costs);
    Decoder decoder(problem);
    for (std::uint64_t i = 0; !budget.spent(); ++i) {
        RandomStream random(options.seed, i);
        const auto chips = decoder.decode(order_by_keys(*problem.costs, levels.draw(random)), random, limits);
        if (!chips && trials.evaluations() == 0) return fail(chips.error());
        if (!chips) break;
        const Verdict* verdict = trials.ask(*chips, "random-keys");
        if (verdict == nullptr) break;
        decoder.learn(*verdict, *chips);
    }
    return std::move(trials).finish();
}

Result<PlannerResult> plan_by_random_equal_work(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                const Limits& limits) {
    std::vector<std::vector<float>> priors;
    for (const auto& order : known_orders(*problem.costs)) priors.push_back(equal_work_prior(problem, order, kSpread));
    const auto walk = bisection_order(*problem.costs);
    return search(problem, "random-equal-work", options, observer, limits, [&](Repair& repair, std::uint64_t i, RandomStream& random) {
        return repair.sample(priors[i % priors.size()], walk, random);
    });
}

}  // namespace sluice::mcm
