#include "sluice/bound/downset_bound.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>

#include "sluice/bound/exact_dp.hpp"
#include "sluice/bound/serial_terms.hpp"
#include "sluice/search/downset_engine.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::bound {

namespace {

using search::DownsetEngine;
using search::DownsetOutcome;
using search::kNodesPerEvaluation;

constexpr std::int64_t kDownsetRounds = 2;         // when no limit ends the search
constexpr std::int64_t kDownsetResolution = 2048;  // of a bisection

class DownsetBound {
public:
    DownsetBound(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits, Duration floor)
        : problem_(problem), options_(options), observer_(observer), limits_(limits), proven_(floor) {}

    Raised run();

private:
    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }
    bool ended();
    /// Nothing from here on can be proven.
    [[nodiscard]] Duration top() const;
    DownsetOutcome attempt(Duration value, std::int64_t nodes);
    bool bisect(std::int64_t nodes);

    const cost::StageProblem& problem_;
    const BoundOptions& options_;
    Observer& observer_;
    Limits limits_;
    const std::optional<Limits::Clock::time_point> deadline_ = limits_.deadline;
    std::optional<DownsetEngine> engine_;
    Duration proven_;
    Duration reached_ = Duration::max();  // by a partition found on the way
    std::shared_ptr<const search::Refutation> refutation_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    std::int64_t nodes_ = 0;
    StopReason reason_ = StopReason::finished;
};

Duration DownsetBound::top() const {
    Duration least = std::min(reached_, options_.enough.value_or(Duration::max()));
    if (options_.other_side)
        if (const auto found = options_.other_side->best()) least = std::min(least, *found);
    return least;
}

bool DownsetBound::ended() {
    if (proven_ >= top())
        reason_ = StopReason::optimal;
    else if (const auto reason = search::limit_reached(limits_))
        reason_ = *reason;
    else if (limits_.evaluations && nodes_ / kNodesPerEvaluation >= *limits_.evaluations)
        reason_ = StopReason::evaluations;
    else
        return false;
    return true;
}

/// Is every bottleneck at least `value`?
DownsetOutcome DownsetBound::attempt(Duration value, std::int64_t nodes) {
    if (limits_.evaluations) nodes = std::min(nodes, *limits_.evaluations * kNodesPerEvaluation - nodes_);
    // A certificate is checked in about the time it took to find, and that time is kept free.
    const auto began = Limits::Clock::now();
    Limits limits = limits_;
    if (deadline_) limits.deadline = std::min(*limits_.deadline, began + (*deadline_ - began) / 2);
    auto attempt = engine_->attempt(value - Duration{1}, {.nodes = nodes, .witness = true}, limits);
    nodes_ += attempt.nodes + 1;
    if (attempt.outcome == DownsetOutcome::refuted && value > proven_ && attempt.refutation) {
        proven_ = value;
        if (deadline_) limits_.deadline = *deadline_ - (Limits::Clock::now() - began) * 3 / 2;
        refutation_ = std::move(attempt.refutation);
        observer_.on_event({seconds(), "search", std::nullopt, proven_, "exact-dp"});
    }
    if (attempt.outcome == DownsetOutcome::found)
        reached_ = std::min(reached_, engine_->serial().exact ? price(problem_, attempt.partition).bottleneck : value - Duration{1});
    return attempt.outcome;
}

/// From below, so that the planner's own search just below its best plan is not done twice. True: more nodes may prove more.
bool DownsetBound::bisect(std::int64_t nodes) {
    Duration high = top();
    bool cut_short = false;
    while (!ended()) {
        high = std::min(high, top());
        const Duration width = high - proven_;
        const Duration value = width <= std::max(Duration{1}, proven_ / kDownsetResolution) ? high : proven_ + width / 2;
        if (value <= proven_) break;
        const DownsetOutcome outcome = attempt(value, nodes);
        if (outcome == DownsetOutcome::refuted) continue;
        cut_short = cut_short || outcome == DownsetOutcome::too_large || outcome == DownsetOutcome::stopped;
        if (value == high && high == top()) break;
        high = std::min(value, high);
        if (high - proven_ <= std::max(Duration{1}, proven_ / kDownsetResolution)) break;
    }
    return cut_short;
}

Raised DownsetBound::run() {
    if (!ended()) {
        engine_ = DownsetEngine::build(
            problem_,
            {.stages = options_.stages, .max_replicas = options_.max_replicas, .threads = options_.threads, .memory = options_.memory},
            limits_);
        if (engine_ && top() == Duration::max()) reached_ = most_provable(engine_->serial()) + Duration{1};
        std::int64_t nodes = search::kFirstNodes;
        for (std::int64_t round = 0; engine_ && !ended() && (round < kDownsetRounds || limits_.deadline || limits_.evaluations); ++round) {
            if (!bisect(nodes)) break;
            nodes = search::grown(nodes);
        }
    }
    Raised raised{.certificate = {}, .termination = {reason_, seconds(), nodes_ / kNodesPerEvaluation}};
    if (!refutation_) return raised;
    auto certificate = certificate_of(problem_, *refutation_);
    assert(certificate && "the engine's own refutation is of this problem");
    raised.certificate = *std::move(certificate);
    return raised;
}

}  // namespace

Raised raise_by_downsets(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits,
                         Duration floor) {
    return DownsetBound(problem, options, observer, limits, floor).run();
}

Result<BoundResult> prove_exact_dp(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                   const Limits& limits) {
    if (auto sound = refuse_empty(problem, options); !sound) return fail(sound.error());
    Raised raised = raise_by_downsets(problem, options, observer, limits, Duration{0});
    if (!raised.certificate) {
        // No threshold below zero can be met.
        search::Refutation refutation;
        const search::Charge charge = search::charges_for(problem.model).front();
        refutation.threshold = Duration{-1};
        refutation.scale = charge.scale;
        refutation.work = charge.work;
        refutation.transfer = charge.transfer;
        refutation.stages = options.stages;
        refutation.max_replicas = options.max_replicas;
        auto trivial = certificate_of(problem, refutation);
        if (!trivial) return fail(std::move(trivial.error()));
        raised.certificate = *std::move(trivial);
    }
    return BoundResult{*std::move(raised.certificate), raised.termination};
}

}  // namespace sluice::bound
