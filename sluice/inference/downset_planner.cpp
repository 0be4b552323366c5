#include "sluice/inference/downset_planner.hpp"

#include <algorithm>
#include <array>
#include <format>

#include "sluice/inference/incumbent.hpp"
#include "sluice/inference/local_search.hpp"
#include "sluice/inference/plan_by_orders.hpp"
#include "sluice/search/downset_engine.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::inference {

namespace {

using search::DownsetEngine;
using search::DownsetOutcome;
using search::grown;
using search::kNodesPerEvaluation;

constexpr std::int64_t kFirstOrders = 64;     // evaluations that `auto` gives to orders before it searches
constexpr std::int64_t kFirstMoves = 20'000;  // evaluations of the first local search
constexpr std::int64_t kMostStates = std::int64_t{1} << 24;
constexpr std::int64_t kFirstStep = 32;        // a beam first asks for 1/32 less than the best, at last for
constexpr std::int64_t kLastStep = 2048;       // 1/2048 less
constexpr std::int64_t kFirstBeam = 10;        // states a level
constexpr std::int64_t kNodesPerState = 2000;  // of the first beam
constexpr std::int64_t kRounds = 2;            // when nothing else ends the search

class DownsetPlanner {
public:
    DownsetPlanner(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits,
                   std::string_view phase)
        : problem_(problem), options_(options), observer_(observer), limits_(limits), best_(problem, options, observer, limits_, phase) {}

    Result<void> slice_orders();
    /// Needs no partition known. False: there is none to search below, or no numbers to search with.
    bool build_engine();
    /// Below the best until nothing is left or the nodes are spent; true: the best is proven optimal.
    bool search_completely(std::int64_t nodes);
    void search_by_beam(std::size_t states, std::int64_t nodes_per_state);
    void search_by_moves(std::int64_t evaluations);

    [[nodiscard]] bool closed() const { return best_.found() && best_.bottleneck() <= bound(); }
    [[nodiscard]] bool ended() { return closed() || best_.must_end(); }
    [[nodiscard]] bool out_of_memory() const { return out_of_memory_; }
    [[nodiscard]] bool exhausted() const { return exhausted_; }
    Result<PlannerResult> take(std::string why) &&;

private:
    [[nodiscard]] Duration bound() const {
        Duration known = std::max(proven_, options_.good_enough.value_or(Duration{0}));
        return options_.other_side ? std::max(known, options_.other_side->bound()) : known;
    }
    /// A batch of search nodes may end a little beyond what was left.
    void count(std::int64_t evaluations) {
        best_.count(limits_.evaluations ? std::min(evaluations, best_.evaluations_left()) : evaluations);
    }
    DownsetOutcome attempt(Duration threshold, DownsetEngine::Effort effort, std::string_view winner);

    const cost::StageProblem& problem_;
    const PlannerOptions& options_;
    Observer& observer_;
    Limits limits_;
    const std::optional<Limits::Clock::time_point> deadline_ = limits_.deadline;
    Incumbent best_;
    std::optional<DownsetEngine> engine_;
    Duration proven_{0};
    std::shared_ptr<const search::Refutation> refuted_;
    bool exhausted_ = false;  // proven optimal by a search without a witness
    bool out_of_memory_ = false;
    std::uint64_t walks_ = 0;
};

Result<void> DownsetPlanner::slice_orders() {
    static constexpr std::array kFirst{OrderKind::heavy_cone, OrderKind::heavy_cone_mirrored, OrderKind::depth_first,
                                       OrderKind::greedy_frontier, OrderKind::model};
    static constexpr std::array kThen{OrderKind::heavy_cone, OrderKind::heavy_cone_mirrored, OrderKind::greedy_frontier,
                                      OrderKind::depth_first, OrderKind::random};
    Limits limits = limits_;
    limits.evaluations = limits_.evaluations ? std::clamp<std::int64_t>(*limits_.evaluations / 4, 1, kFirstOrders) : kFirstOrders;
    auto sliced = plan_by_orders(problem_, kFirst, kThen, options_, observer_, limits);
    if (!sliced) {
        if (best_.found()) return {};
        return fail(std::move(sliced.error()));
    }
    count(sliced->termination.evaluations);
    best_.offer(std::move(sliced->partition), sliced->winner);
    return {};
}

bool DownsetPlanner::build_engine() {
    engine_ = DownsetEngine::build(problem_,
                                   {.stages = options_.stages,
                                    .max_replicas = options_.max_replicas,
                                    .threads = options_.threads,
                                    .memory = options_.memory,
                                    .judged = true},
                                   limits_);
    return engine_.has_value();
}

DownsetOutcome DownsetPlanner::attempt(Duration threshold, DownsetEngine::Effort effort, std::string_view winner) {
    if (limits_.evaluations) {
        const std::int64_t left = best_.evaluations_left() * kNodesPerEvaluation;
        effort.nodes = effort.nodes > 0 ? std::min(effort.nodes, left) : left;
    }
    // A proof is checked in about the time it took to find, and that time is kept free.
    const auto began = Limits::Clock::now();
    Limits limits = limits_;
    if (deadline_ && effort.states_per_level == 0) limits.deadline = std::min(*limits_.deadline, began + (*deadline_ - began) / 2);
    auto attempt = engine_->attempt(threshold, effort, limits);
    count(attempt.nodes / kNodesPerEvaluation + 1);
    if (attempt.outcome == DownsetOutcome::found) best_.offer(std::move(attempt.partition), winner);
    if (attempt.outcome == DownsetOutcome::refuted && threshold >= proven_) {
        proven_ = threshold + Duration{1};
        if (attempt.refutation) {
            refuted_ = std::move(attempt.refutation);
            if (deadline_) limits_.deadline = *deadline_ - (Limits::Clock::now() - began) * 3 / 2;
            observer_.on_event({best_.seconds(), "search", std::nullopt, proven_, "exact-dp"});
        } else {
            exhausted_ = true;
        }
    }
    return attempt.outcome;
}

bool DownsetPlanner::search_completely(std::int64_t nodes) {
    while (engine_ && !ended()) {
        const Duration best = best_.bottleneck();
        // First a little below the best, which is far easier to refute than one picosecond below it.
        Duration threshold = best - std::max(Duration{1}, best / kLastStep);
        if (threshold < bound()) threshold = best - Duration{1};
        const DownsetOutcome outcome = attempt(threshold, {.nodes = nodes, .witness = true}, "exact search");
        if (outcome == DownsetOutcome::too_large) {
            out_of_memory_ = nodes == 0;
            return false;
        }
        if (outcome != DownsetOutcome::found && outcome != DownsetOutcome::refuted) return false;
        if (outcome == DownsetOutcome::found && best_.bottleneck() >= best) return false;  // not better on the problem itself
    }
    return closed();
}

void DownsetPlanner::search_by_beam(std::size_t states, std::int64_t nodes_per_state) {
    for (std::int64_t step = kFirstStep; engine_ && step <= kLastStep && !ended();) {
        const Duration best = best_.bottleneck();
        const Duration threshold = std::max(best - std::max(Duration{1}, best / step), bound());
        if (threshold >= best) return;
        const auto outcome = attempt(threshold, {.states_per_level = states, .nodes_per_state = nodes_per_state, .witness = true},
                                     std::format("beam of {}", states));
        if (outcome == DownsetOutcome::found && best_.bottleneck() < best) continue;
        step *= 2;
    }
}

void DownsetPlanner::search_by_moves(std::int64_t evaluations) {
    if (ended()) return;
    Limits limits = limits_;
    limits.evaluations = limits_.evaluations ? std::min(evaluations, best_.evaluations_left() / 2) : evaluations;
    if (*limits.evaluations < 1) return;
    PlannerOptions options = options_;
    options.good_enough = bound();
    options.seed += ++walks_;  // never the same walk twice
    auto improved = improve(problem_, best_.partition(), options, observer_, limits);
    if (!improved) return;
    count(improved->termination.evaluations);
    best_.offer(std::move(improved->partition), improved->winner);
}

Result<PlannerResult> DownsetPlanner::take(std::string why) && {
    const bool proven = closed();
    auto result = std::move(best_).take(std::move(why));
    if (!result) return result;
    result->refuted = std::move(refuted_);
    if (proven) result->termination.reason = StopReason::optimal;
    return result;
}

}  // namespace

Result<PlannerResult> plan_exact(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                 const Limits& limits) {
    if (auto sound = check_call(problem, options); !sound) return fail(std::move(sound.error()));
    DownsetPlanner planner(problem, options, observer, limits, "exact");
    if (auto sliced = planner.slice_orders(); !sliced) return fail(std::move(sliced.error()));
    if (planner.build_engine()) (void)planner.search_completely(0);
    const bool out_of_memory = planner.out_of_memory(), uncertified = planner.exhausted() && planner.closed();
    auto result = std::move(planner).take("exact search found none");
    if (result && uncertified)
        result->warnings.push_back(
            input_error("complete search found nothing better than this plan; for overlap, device classes, a hard "
                        "memory or a host link that leaves no certificate, so the bound may be weaker"));
    if (result && out_of_memory)
        result->warnings.push_back(
            input_error(std::format("exact search stopped at its memory budget of {}: the plan is the best so far, "
                                    "and not proven to be the best there is",
                                    to_text(options.memory))));
    return result;
}

Result<PlannerResult> plan_beam(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                const Limits& limits) {
    if (auto sound = check_call(problem, options); !sound) return fail(std::move(sound.error()));
    DownsetPlanner planner(problem, options, observer, limits, "beam");
    if (auto sliced = planner.slice_orders(); !sliced) return fail(std::move(sliced.error()));
    if (planner.build_engine())
        for (std::int64_t round = 0, states = kFirstBeam; !planner.ended() && (round < kRounds || limits.deadline);
             ++round, states = grown(states, kMostStates))
            planner.search_by_beam(static_cast<std::size_t>(states), kNodesPerState * states / kFirstBeam);
    return std::move(planner).take("a beam found none");
}

Result<PlannerResult> plan_auto(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                const Limits& limits) {
    if (auto sound = check_call(problem, options); !sound) return fail(std::move(sound.error()));
    DownsetPlanner planner(problem, options, observer, limits, "search");
    if (auto sliced = planner.slice_orders(); !sliced) return fail(std::move(sliced.error()));
    if (!planner.ended() && planner.build_engine()) {
        std::int64_t nodes = search::kFirstNodes, nodes_per_state = kNodesPerState, moves = kFirstMoves, states = kFirstBeam;
        for (std::int64_t round = 0; !planner.ended() && (round < kRounds || limits.deadline || limits.evaluations); ++round) {
            if (planner.search_completely(nodes)) break;
            planner.search_by_moves(moves);
            planner.search_by_beam(static_cast<std::size_t>(states), nodes_per_state);
            for (std::int64_t* effort : {&nodes, &moves, &nodes_per_state}) *effort = grown(*effort);
            states = grown(states, kMostStates);
        }
    }
    return std::move(planner).take("no order could be sliced");
}

}  // namespace sluice::inference
