#include "sluice/mcm/search/baselines.hpp"

#include <algorithm>
#include <bit>
#include <string_view>
#include <utility>

#include "sluice/mcm/search/lessons.hpp"
#include "sluice/mcm/search/trials.hpp"
#include "sluice/mcm/walk.hpp"

namespace sluice::mcm {

namespace {

/// Loads of the chips under the solver's decisions.
class Filling {
public:
    explicit Filling(const ChipProblem& problem) : work_(problem.costs->classes.front().work), load_(problem.chips), average_(1) {
        Duration total{0};
        for (const Duration work : work_) total += work;
        average_ = std::max(total / static_cast<std::int64_t>(problem.chips), Duration{1});
    }
    void add(std::size_t node, std::size_t chip) { load_[chip] += work_[node]; }
    void clear() { load_.assign(load_.size(), Duration{0}); }
    [[nodiscard]] bool has_room(std::size_t node, std::size_t chip) const {
        return load_[chip] + work_[node] <= average_ || load_[chip] == Duration{0};
    }
    /// Of the chips left: the first from `current` on with room; else the emptiest of those from there on, else the last one.
    [[nodiscard]] std::size_t choose(std::size_t node, std::uint64_t mask, std::size_t current) const {
        std::optional<std::size_t> emptiest;
        for (std::size_t chip = current; chip < load_.size(); ++chip) {
            if ((mask >> chip & 1) == 0) continue;
            if (has_room(node, chip)) return chip;
            if (!emptiest || load_[chip] < load_[*emptiest]) emptiest = chip;
        }
        return emptiest ? *emptiest : std::bit_width(mask) - std::size_t{1};
    }

private:
    const std::vector<Duration>& work_;
    std::vector<Duration> load_;
    Duration average_;
};

/// Memory comes in through the solver: a chip whose parameters are full is no chip that is left.
Result<Assignment> fill(const ChipProblem& problem, ChipSolver& solver) {
    const std::size_t nodes = problem.node_count();
    Walk walk(solver, {.backtracks = 2'000});
    if (!solver.consistent()) return fail(solver.why());
    Filling filling(problem);
    std::size_t current = 0;
    for (std::size_t v = 0; v < nodes;) {
        const NodeId node(v);
        if (solver.decided(node)) {
            filling.add(v, solver.chip(node));
            current = std::max(current, solver.chip(node));
            ++v;
            continue;
        }
        const auto next = walk.decide(v, node, filling.choose(v, solver.domain(node), current));
        if (!next) return fail(next.error());
        // A node that was decided is met again, and counted then.
        if (*next > v) continue;
        filling.clear();
        current = 0;
        for (std::size_t u = 0; u < *next; ++u) {
            filling.add(u, solver.chip(NodeId(u)));
            current = std::max(current, solver.chip(NodeId(u)));
        }
        v = *next;
    }
    return walk.chips();
}

/// The same without rules.
Assignment fill_freely(const ChipProblem& problem) {
    Filling filling(problem);
    Assignment chips(problem.node_count());
    std::size_t current = 0;
    for (std::size_t v = 0; v < chips.size(); ++v) {
        if (!filling.has_room(v, current) && current + 1 < problem.chips) ++current;
        filling.add(v, current);
        chips[v] = static_cast<std::uint8_t>(current);
    }
    return chips;
}

/// The first of `candidates` that compiles, or what repairs make of it.
void first_that_compiles(const ChipProblem& problem, const std::vector<Assignment>& candidates, Repair& repair, RandomStream& random,
                         std::string_view source, Trials& trials) {
    const std::vector<NodeId> order = bisection_order(*problem.costs);
    for (const Assignment& candidate : candidates) {
        Assignment chips = candidate;
        while (const Verdict* verdict = trials.ask(chips, source)) {
            if (verdict->fits()) return;
            if (!repair.learn(*verdict)) break;
            auto fixed = repair.fix(candidate, order, random);
            if (!fixed) break;
            chips = *std::move(fixed);
        }
        if (trials.over()) break;
    }
}

Result<PlannerResult> plan_by_shares(const ChipProblem& problem, Share share, std::string_view source, const PlannerOptions& options,
                                     Observer& observer, const Limits& limits) {
    RandomStream random(options.seed);
    Repair repair(problem);
    auto candidates = equal_shares(problem, share, repair, random);
    if (!candidates) return fail(std::move(candidates.error()));
    Trials trials(problem, options, observer, limits);
    first_that_compiles(problem, *candidates, repair, random, source, trials);
    if (trials.found() || trials.over()) return std::move(trials).finish();
    // Memory decides, and repairs do not know which way there is room.
    const EvenProblem even(problem, share);
    Lessons lessons(problem);
    for (const auto& order : known_orders(*problem.costs))
        if (judge_slicings(even.problem(), order, source, lessons, trials, limits)) break;
    return std::move(trials).finish();
}

}  // namespace

Result<std::vector<Assignment>> equal_shares(const ChipProblem& problem, Share share, Repair& repair, RandomStream& random) {
    std::vector<std::pair<Duration, Assignment>> found;
    std::optional<Diagnostic> why;
    for (const auto& order : known_orders(*problem.costs)) {
        const Assignment cut = cut_evenly(problem, order, share);
        for (const auto& walk : {bisection_order(*problem.costs), order}) {
            auto fixed = repair.fix(cut, walk, random);
            if (fixed)
                found.emplace_back(bottleneck(problem, *fixed), *std::move(fixed));
            else
                why = std::move(fixed.error());
        }
    }
    if (found.empty()) return fail(*std::move(why));
    std::ranges::stable_sort(found, {}, &std::pair<Duration, Assignment>::first);
    std::vector<Assignment> candidates;
    for (auto& [period, chips] : found)
        if (!std::ranges::contains(candidates, chips)) candidates.push_back(std::move(chips));
    return candidates;
}

Result<PlannerResult> plan_by_greedy(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    RandomStream random(options.seed);
    Repair repair(problem);
    ChipSolver solver(problem);
    auto filled = fill(problem, solver);
    if (!filled && filled.error().kind == DiagnosticKind::stopped)
        filled = repair.fix(fill_freely(problem), bisection_order(*problem.costs), random);
    if (!filled) return fail(std::move(filled.error()));
    Trials trials(problem, options, observer, limits);
    first_that_compiles(problem, {*std::move(filled)}, repair, random, "greedy", trials);
    return std::move(trials).finish();
}

Result<PlannerResult> plan_by_equal_operators(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                              const Limits& limits) {
    return plan_by_shares(problem, Share::operators, "equal-operators", options, observer, limits);
}

Result<PlannerResult> plan_by_equal_work(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                         const Limits& limits) {
    return plan_by_shares(problem, Share::work, "equal-work", options, observer, limits);
}

}  // namespace sluice::mcm
