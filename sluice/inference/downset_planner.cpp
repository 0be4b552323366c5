#include "sluice/inference/downset_planner.hpp"

#include <algorithm>
#include <array>
#include <format>

#include "sluice/inference/evolution.hpp"
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
constexpr std::int64_t kMostDownsetStates = std::int64_t{1} << 24;
constexpr std::int64_t kFirstStep = 32;        // a beam first asks for 1/32 less than the best, at last for
constexpr std::int64_t kLastStep = 2048;       // 1/2048 less
constexpr std::int64_t kFirstBeam = 10;        // states a level
constexpr std::int64_t kNodesPerState = 2000;  // of the first beam; more in proportion to the states
constexpr std::int64_t kFirstGenerations = 1;
constexpr std::int64_t kQuietGenerations = 30;  // a population that long without a better member makes room for another
constexpr std::uint64_t kEvolutionStreams = std::uint64_t{1} << 41;  // far from those of orders and walks
constexpr std::int64_t kBeamGrowth = 2;                              // of the states, and of the nodes for each
constexpr std::int64_t kMostEffort = std::int64_t{1} << 40;
constexpr double kDearness = 2;     // a complete search rarely ends below the best: half a share, and bounds search for themselves
constexpr std::size_t kRounds = 2;  // when nothing else ends the search

/// Fewer on large problems, whose slicings take tens of milliseconds.
std::size_t population_of(std::size_t nodes) { return std::clamp<std::size_t>(200'000 / (nodes + 1), 10, 40); }

/// The searches that `auto` takes turns with.
enum Kind : std::size_t { complete, moves, beam, generations, kKinds };
struct Turn {
    std::int64_t effort;  // of the next turn: search nodes, evaluations, states a level, generations
    double seconds = 0;   // spent; less where it found something
};

/// What a later call need not do again.
struct Progress final : Continuation {
    std::shared_ptr<const DownsetEngine> engine;
    std::array<Turn, kKinds> turns{Turn{search::kFirstNodes}, Turn{kFirstMoves}, Turn{kFirstBeam}, Turn{kFirstGenerations}};
};

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
    void search_by_generations(std::int64_t generations);
    /// All of these in turn, each with more effort than the last time, until a limit or a proof.
    void search_in_turns();

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
    /// True: the best is proven optimal.
    bool search(Kind kind);

    const cost::StageProblem& problem_;
    const PlannerOptions& options_;
    Observer& observer_;
    Limits limits_;
    const std::optional<Limits::Clock::time_point> deadline_ = limits_.deadline;
    Incumbent best_;
    Progress progress_;
    Duration proven_{0};
    std::shared_ptr<const search::Refutation> refuted_;
    bool exhausted_ = false;  // proven optimal by a search without a witness
    bool out_of_memory_ = false;
    std::uint64_t walks_ = 0;
    const OrderMaker orders_{problem_};
    std::optional<Evolution> evolution_;
};

Result<void> DownsetPlanner::slice_orders() {
    Limits limits = limits_;
    limits.evaluations = limits_.evaluations ? std::clamp<std::int64_t>(*limits_.evaluations / 4, 1, kFirstOrders) : kFirstOrders;
    auto sliced = plan_by_orders(problem_, kEveryOrder, kPerturbedOrders, options_, observer_, limits);
    if (!sliced) {
        if (best_.found()) return {};
        return fail(std::move(sliced.error()));
    }
    count(sliced->termination.evaluations);
    best_.offer(std::move(sliced->partition), sliced->winner);
    return {};
}

bool DownsetPlanner::build_engine() {
    if (const auto* before = dynamic_cast<const Progress*>(options_.go_on.get())) progress_ = *before;
    if (progress_.engine) return true;
    auto engine = DownsetEngine::build(problem_,
                                       {.stages = options_.stages,
                                        .max_replicas = options_.max_replicas,
                                        .threads = options_.threads,
                                        .memory = options_.memory,
                                        .judged = true},
                                       limits_);
    if (engine) progress_.engine = std::make_shared<const DownsetEngine>(*std::move(engine));
    return progress_.engine != nullptr;
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
    auto attempt = progress_.engine->attempt(threshold, effort, limits);
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
    while (progress_.engine && !ended()) {
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
    for (std::int64_t step = kFirstStep; progress_.engine && step <= kLastStep && !ended();) {
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

void DownsetPlanner::search_by_generations(std::int64_t generations) {
    if (ended()) return;
    if (!evolution_)
        evolution_.emplace(
            problem_, population_of(problem_.node_count()), GeneticShares{}, options_, limits_, best_,
            [this](RandomStream& random) { return orders_.make(kPerturbedOrders[random.below(kPerturbedOrders.size())], &random); },
            kEvolutionStreams);
    for (; generations > 0 && !ended(); generations -= kQuietGenerations) {
        evolution_->run(static_cast<std::size_t>(std::min(generations, kQuietGenerations)));
        if (evolution_->quiet() >= kQuietGenerations) evolution_->restart();
    }
}

bool DownsetPlanner::search(Kind kind) {
    const std::int64_t effort = progress_.turns[kind].effort;
    switch (kind) {
        case complete:
            return search_completely(effort);
        case moves:
            search_by_moves(effort);
            break;
        case beam:
            search_by_beam(static_cast<std::size_t>(std::min(effort, kMostDownsetStates)), kNodesPerState * effort / kFirstBeam);
            break;
        case generations:
            search_by_generations(effort);
            break;
        case kKinds:
            break;
    }
    return false;
}

void DownsetPlanner::search_in_turns() {
    // By the clock, equal shares of it, and more for what finds; else one turn each.
    const bool timed = limits_.deadline && !limits_.evaluations;
    for (std::size_t n = 0; !ended() && (n < kRounds * kKinds || limits_.deadline || limits_.evaluations); ++n) {
        const auto least = std::ranges::min_element(progress_.turns, {}, &Turn::seconds) - progress_.turns.begin();
        const auto kind = static_cast<Kind>(timed ? static_cast<std::size_t>(least) : n % kKinds);
        const Duration before = best_.bottleneck();
        const double began = best_.seconds();
        if (search(kind)) return;
        Turn& turn = progress_.turns[kind];
        turn.seconds += (best_.seconds() - began) * (kind == complete ? kDearness : 1);
        if (best_.bottleneck() < before)
            turn.seconds /= 4;
        else
            turn.effort = std::min(turn.effort * (kind == beam ? kBeamGrowth : search::kGrowth), kMostEffort);
    }
}

Result<PlannerResult> DownsetPlanner::take(std::string why) && {
    const bool proven = closed();
    auto result = std::move(best_).take(std::move(why));
    if (!result) return result;
    result->refuted = std::move(refuted_);
    result->go_on = std::make_shared<const Progress>(std::move(progress_));
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
        for (std::int64_t round = 0, states = kFirstBeam;
             !planner.ended() && (round < static_cast<std::int64_t>(kRounds) || limits.deadline);
             ++round, states = grown(states, kMostDownsetStates))
            planner.search_by_beam(static_cast<std::size_t>(states), kNodesPerState * states / kFirstBeam);
    return std::move(planner).take("a beam found none");
}

Result<PlannerResult> plan_auto(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                const Limits& limits) {
    if (auto sound = check_call(problem, options); !sound) return fail(std::move(sound.error()));
    DownsetPlanner planner(problem, options, observer, limits, "search");
    if (auto sliced = planner.slice_orders(); !sliced) return fail(std::move(sliced.error()));
    if (!planner.ended() && planner.build_engine()) planner.search_in_turns();
    return std::move(planner).take("no order could be sliced");
}

}  // namespace sluice::inference
