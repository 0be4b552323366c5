#include "sluice/solve/solve.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <format>
#include <iterator>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/exact_dp.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/inference/latency.hpp"
#include "sluice/inference/registry.hpp"
#include "sluice/solve/accept.hpp"
#include "sluice/solve/meeting.hpp"

namespace sluice::solve {

namespace {

using bound::Bound;
using bound::BoundResult;
using bound::Certificate;
using inference::Planner;
using inference::PlannerResult;

constexpr std::string_view kOpeningBound = "combinatorial";  // linear time: known before anything else starts

/// What the bound's side gets once the planner came to its natural end.
constexpr std::chrono::seconds kAfterPlanning{2};

Result<void> check_options(const cost::StageProblem& problem, const SolveOptions& options) {
    if (options.stages < 1 || options.stages > plan::kMostDevices)
        return fail(usage_error(std::format("{} stages asked for; 1 to {} are possible", options.stages, plan::kMostDevices)));
    if (options.max_replicas < 1 || options.max_replicas > plan::kMostDevices)
        return fail(usage_error(std::format("{} replicas asked for; 1 to {} are possible", options.max_replicas, plan::kMostDevices)));
    if (!(options.gap >= 0 && options.gap < 1))
        return fail(usage_error(std::format("a gap of {} asked for; it is at least 0 and below 1", options.gap)));
    if (options.seed > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return fail(usage_error(std::format("seed {} is beyond 2^63 - 1, the largest a plan file can hold", options.seed)));
    if (!options.start) return {};
    if (auto faults = cost::faults_of(problem, *options.start, options.stages); !faults.empty())
        return fail(input_error(std::format("the plan to start from does not hold: {}", faults.front().message)));
    return {};
}

/// Both sides of one call, with what each has brought home so far.
class Solver {
public:
    Solver(const cost::StageProblem& problem, const SolveOptions& options, Meeting& meeting)
        : problem_(problem), options_(options), meeting_(meeting), threads_(std::max(1, options.threads)) {}

    /// What the caller knows: both sides see it, and nothing worse is given back.
    void begin() {
        if (options_.start) know(*options_.start, "start", "start");
        if (!options_.known || options_.known->max_replicas < bounded_replicas() || options_.known->objective != options_.objective) return;
        Certificate certificate = *options_.known;
        certificate.problem = problem_.fingerprint;
        certificate.stages = options_.stages;
        if (!bound::check_certificate(problem_, certificate, checking_limits()).empty()) return;
        meeting_.announce("bound", std::nullopt, certificate.value, certificate.kind());
        certificates_.push_back(std::move(certificate));
    }

    // --- the bound's side

    /// A bound in linear time, so that the planner knows when it is done and an interrupted call has something to show.
    void open(const Bound* wanted) {
        const auto opening = bound::find_bound(kOpeningBound);
        if (!opening || *opening == wanted) return;
        Limits limits;  // not the caller's: it is quick, and a call interrupted at once still gets a bound
        auto result = (*opening)->prove(problem_, bound_options({}, 1), meeting_, limits);
        take_bound((*opening)->name, std::move(result));
    }

    void prove(const Bound& bound, std::optional<Duration> enough, int threads, const Limits& limits) {
        take_bound(bound.name, prove_with(bound, problem_, bound_options(enough, threads), meeting_, limits));
    }

    [[nodiscard]] bool has_bound() const { return !certificates_.empty(); }
    /// Plan and bound have met.
    [[nodiscard]] bool done() const { return !best_.stages.empty() && met(); }
    /// What is worth proving against the best plan known; nothing when there is none.
    [[nodiscard]] std::optional<Duration> bound_needed() const {
        if (best_.stages.empty()) return std::nullopt;
        return bound_needed_for(value(), options_.gap);
    }

    // --- the planner's side

    /// One run of the planner; the better of it and what is known is kept. The first failure ends the call.
    Result<StopReason> plan(const Planner& planner, std::uint64_t seed, int threads, const Limits& limits) {
        try {
            return run_planner(planner, seed, threads, limits);
        } catch (const std::exception& error) {
            return fail(internal_error(std::format("planner '{}' failed: {}", planner.name, error.what())));
        }
    }

    Result<StopReason> run_planner(const Planner& planner, std::uint64_t seed, int threads, const Limits& limits) {
        inference::PlannerOptions asked = planner_options(options_);
        asked.seed = seed;
        asked.threads = threads;
        asked.good_enough = good_enough();
        asked.other_side = meeting_.blackboard();
        const cost::Partition known = best_;
        if (!known.stages.empty()) asked.start = &known;
        asked.go_on = go_on_;
        auto result = inference::plan_for(planner, problem_, asked, meeting_, limits);
        if (!result) {
            if (best_.stages.empty() || result.error().kind == DiagnosticKind::usage) return fail(std::move(result.error()));
            if (result.error().kind == DiagnosticKind::stopped) return limits.out_of_time() ? StopReason::time : StopReason::interrupted;
            planner_warnings_.push_back(std::move(result.error()));  // a plan is known all the same
            return StopReason::finished;
        }
        if (auto faults = cost::faults_of(problem_, result->partition, options_.stages); !faults.empty())
            return fail(
                internal_error(std::format("planner '{}' made a plan that does not hold: {}", planner.name, faults.front().message)));
        evaluations_ += result->termination.evaluations;
        go_on_ = std::move(result->go_on);
        std::ranges::move(result->warnings, std::back_inserter(planner_warnings_));
        if (result->refuted && options_.objective == cost::Objective::throughput) take_refutation(*result->refuted);
        know(std::move(result->partition), std::move(result->winner), planner.name);
        return result->termination.reason;
    }

    // --- both

    /// One after the other: the planner with an eighth of the time, the bound with half of what is left, the planner again from its best.
    Result<void> alternate(const Planner& planner, const Bound& bound) {
        const bool counted = meeting_.limits().evaluations.has_value();
        const auto share = [&](int part) {
            Limits limits = meeting_.limits();
            if (limits.deadline && !counted) limits.deadline = Limits::Clock::now() + (*limits.deadline - Limits::Clock::now()) / part;
            return limits;
        };
        auto planned = plan(planner, options_.seed, threads_, share(8));
        if (!planned) return fail(std::move(planned.error()));
        planner_reason_ = *planned;
        if (met()) return {};
        prove(bound, bound_needed_for(value(), options_.gap), threads_, share(2));
        if (met() || counted || planner_reason_ != StopReason::time || meeting_.limits().out_of_time() || meeting_.limits().interrupted())
            return {};
        auto again = plan(planner, options_.seed + 1, threads_, meeting_.limits());  // another stream: the first one's numbers are spent
        if (!again && again.error().kind != DiagnosticKind::stopped) return fail(std::move(again.error()));
        if (again) planner_reason_ = *again;
        return {};
    }

    /// Side by side, half of the threads each. The bound starts when the first plan is known: beyond that nothing can be proven.
    Result<void> together(const Planner& planner, const Bound& bound) {
        const int for_bound = threads_ / 2;
        std::mutex mutex;
        std::condition_variable changed;
        bool proven = false;
        std::jthread prover;
        try {
            prover = std::jthread([&, this] {
                const auto objective = meeting_.wait_for_objective();
                if (objective) prove(bound, bound_needed_for(*objective, options_.gap), for_bound, meeting_.limits());
                const std::lock_guard lock(mutex);
                proven = true;
                changed.notify_one();
            });
        } catch (const std::system_error&) {
            return alternate(planner, bound);  // no thread to be had
        }
        auto planned = plan(planner, options_.seed, threads_ - for_bound, meeting_.limits());
        if (!planned) meeting_.stop();
        meeting_.planning_ended();
        if (planned == StopReason::finished) {  // a method with an end of its own: nobody waits for the last word on it
            std::unique_lock lock(mutex);
            if (!changed.wait_for(lock, kAfterPlanning, [&] { return proven; })) meeting_.stop();
        }
        prover.join();
        if (!planned) return fail(std::move(planned.error()));
        planner_reason_ = *planned;
        return {};
    }

    /// The best of the accepted certificates.
    void settle_bound() {
        std::ranges::move(planner_certificates_, std::back_inserter(certificates_));
        std::ranges::move(planner_warnings_, std::back_inserter(warnings_));
        std::ranges::stable_sort(certificates_, std::ranges::greater{}, &Certificate::value);
        for (Certificate& certificate : certificates_) {
            certificate.model = options_.model;
            if (best_.stages.empty() || certificate.value <= value()) {
                certificate_ = std::move(certificate);
                certified_ = true;
                return;
            }
            warnings_.push_back(refused(
                certificate, std::format("it is {} ps, above the {} ps that a plan reaches", certificate.value.count(), value().count())));
        }
        // Nothing is known: zero is a bound on any plan.
        certificate_ = {.problem = problem_.fingerprint,
                        .model = options_.model,
                        .stages = options_.stages,
                        .max_replicas = bounded_replicas(),
                        .value = Duration(0),
                        .witness = bound::TotalWorkWitness{},
                        .objective = options_.objective};
        certified_ = bound::check_certificate(problem_, certificate_).empty();
    }

    [[nodiscard]] Termination termination(bool have_plan) const {
        Termination termination{.reason = StopReason::finished, .seconds = meeting_.seconds(), .evaluations = evaluations_};
        const auto either = [&](StopReason reason) { return (have_plan && planner_reason_ == reason) || bound_reason_ == reason; };
        if (have_plan && certified_ && certificate_.value == value())
            termination.reason = StopReason::optimal;
        else if (have_plan && certified_ && options_.gap > 0 && gap_of(value(), certificate_.value) <= options_.gap)
            termination.reason = StopReason::gap;
        else if (meeting_.interrupted())
            termination.reason = StopReason::interrupted;
        else if (either(StopReason::time))
            termination.reason = StopReason::time;
        else if (either(StopReason::evaluations))
            termination.reason = StopReason::evaluations;
        return termination;
    }

    SolveResult plan_result(const Planner& planner) && {
        settle_bound();
        meeting_.announce("done", value(), certified_ ? std::optional(certificate_.value) : std::nullopt, certificate_.kind());
        const Termination termination = this->termination(true);
        return {.partition = std::move(best_),
                .cost = std::move(cost_),
                .certificate = std::move(certificate_),
                .certified = certified_,
                .termination = termination,
                .method = std::string(planner.name),
                .winner = std::move(winner_),
                .warnings = std::move(warnings_)};
    }

    ProveResult bound_result() && {
        settle_bound();
        Termination termination = this->termination(!best_.stages.empty());
        termination.evaluations = bound_evaluations_;
        if (claim_ && claim_->value > certificate_.value) {  // who names a method wants to see what it says, marked as a claim
            claim_->model = options_.model;
            claim_->objective = options_.objective;
            certificate_ = *std::move(claim_);
            certified_ = false;
        }
        return {
            .certificate = std::move(certificate_), .certified = certified_, .termination = termination, .warnings = std::move(warnings_)};
    }

private:
    /// Keeps a valid partition when it is the best so far.
    void know(cost::Partition partition, std::string winner, std::string_view source) {
        cost::PartitionCost cost = cost::price(problem_, partition);
        if (!best_.stages.empty() && !better(cost, cost_, options_.objective)) return;
        best_ = std::move(partition);
        cost_ = std::move(cost);
        winner_ = std::move(winner);
        meeting_.announce("plan", value(), std::nullopt, source);
    }

    /// Of the best plan: what is optimised.
    [[nodiscard]] Duration value() const { return objective_value(cost_, options_.objective); }
    /// A bound on the latency is one without replicas (certificate.hpp).
    [[nodiscard]] std::int64_t bounded_replicas() const {
        return options_.objective == cost::Objective::latency ? 1 : options_.max_replicas;
    }

    [[nodiscard]] bound::BoundOptions bound_options(std::optional<Duration> enough, int threads) const {
        return {.stages = options_.stages,
                .threads = threads,
                .enough = enough,
                .max_replicas = bounded_replicas(),
                .objective = options_.objective,
                .other_side = meeting_.blackboard()};
    }

    /// A planner's exact search proves bounds too.
    void take_refutation(const search::Refutation& refutation) {
        auto certificate = bound::certificate_of(problem_, refutation);
        if (!certificate) {
            planner_warnings_.push_back(std::move(certificate.error()));
            return;
        }
        accept({*std::move(certificate)}, "search", planner_certificates_, planner_warnings_);
    }

    /// Until when a certificate may be checked: the deadline and a little more; two seconds after an interrupt.
    [[nodiscard]] Limits checking_limits() const {
        Limits limits;
        if (const auto deadline = meeting_.limits().deadline) {
            const std::chrono::duration<double> budget =
                *deadline - Limits::Clock::now() + std::chrono::duration<double>(meeting_.seconds());
            limits.deadline = *deadline + std::chrono::duration_cast<Limits::Clock::duration>(budget / 25);
        }
        if (meeting_.interrupted()) {
            const auto soon = Limits::Clock::now() + std::chrono::seconds(2);
            limits.deadline = std::min(soon, limits.deadline.value_or(soon));
        }
        return limits;
    }

    /// Adds the first of these, best first, that the independent checker accepts.
    void accept(std::vector<Certificate> offered, std::string_view phase, std::vector<Certificate>& accepted,
                std::vector<Diagnostic>& warnings) {
        for (Certificate& certificate : offered) certificate.objective = options_.objective;
        auto first = first_accepted(problem_, std::move(offered), [this] { return checking_limits(); }, warnings);
        if (!first) return;
        meeting_.announce(phase, std::nullopt, first->value, first->kind());
        accepted.push_back(*std::move(first));
    }

    void take_bound(std::string_view name, Result<BoundResult> result) {
        if (!result) {
            bound_reason_ = result.error().kind == DiagnosticKind::stopped ? StopReason::interrupted : StopReason::finished;
            if (auto warning = failed_bound(name, std::move(result.error()))) warnings_.push_back(*std::move(warning));
            return;
        }
        bound_reason_ = result->termination.reason;
        bound_evaluations_ = result->termination.evaluations;
        std::vector<Certificate> offered = std::move(result->weaker);
        offered.push_back(std::move(result->certificate));
        accept(std::move(offered), "bound", certificates_, warnings_);
        if (result->claim) claim_ = std::move(result->claim);
    }

    [[nodiscard]] std::optional<Duration> best_bound() const {
        std::optional<Duration> best;
        for (const auto* list : {&certificates_, &planner_certificates_})
            for (const Certificate& certificate : *list) best = std::max(certificate.value, best.value_or(certificate.value));
        return best;
    }
    [[nodiscard]] std::optional<Duration> good_enough() const {
        return best_bound().transform([&](Duration bound) { return good_enough_for(bound, options_.gap); });
    }
    [[nodiscard]] bool met() const {
        const auto bound = best_bound();
        return bound && gap_of(value(), *bound) <= options_.gap;
    }

    const cost::StageProblem& problem_;
    const SolveOptions& options_;
    Meeting& meeting_;
    const int threads_;

    // The bound's side writes these, and only while it runs.
    std::vector<Certificate> certificates_;
    std::optional<Certificate> claim_;  // beside them, of no use to a plan: nobody can check it
    std::vector<Diagnostic> warnings_;
    StopReason bound_reason_ = StopReason::finished;
    std::int64_t bound_evaluations_ = 0;

    // The planner's side writes these.
    std::vector<Certificate> planner_certificates_;
    std::vector<Diagnostic> planner_warnings_;
    cost::Partition best_;
    cost::PartitionCost cost_;
    std::string winner_;
    std::shared_ptr<const inference::Continuation> go_on_;  // of the planner's last run
    std::int64_t evaluations_ = 0;
    StopReason planner_reason_ = StopReason::finished;

    Certificate certificate_;
    bool certified_ = false;
};

}  // namespace

inference::PlannerOptions planner_options(const SolveOptions& options) {
    return {.stages = options.stages,
            .max_replicas = options.max_replicas,
            .objective = options.objective,
            .seed = options.seed,
            .threads = std::max(1, options.threads),
            .start = options.start ? &*options.start : nullptr,
            .genetic = options.genetic,
            .until_limit = options.until_limit};
}

Result<SolveResult> solve(const cost::StageProblem& problem, const SolveOptions& options, Observer& observer, const Limits& limits) {
    if (auto checked = check_options(problem, options); !checked) return fail(std::move(checked.error()));
    const auto planner = inference::find_planner(options.method);
    if (!planner) return fail(planner.error());
    const auto bound = bound::find_bound(options.bound);
    if (!bound) return fail(bound.error());

    const bool counted = limits.evaluations.has_value();
    Meeting meeting(observer, limits, options.gap, !counted);
    Solver solver(problem, options, meeting);
    solver.open(*bound);
    solver.begin();
    if (solver.done()) return std::move(solver).plan_result(**planner);
    const bool side_by_side = !counted && options.threads >= 2;
    if (auto done = side_by_side ? solver.together(**planner, **bound) : solver.alternate(**planner, **bound); !done)
        return fail(std::move(done.error()));
    return std::move(solver).plan_result(**planner);
}

Result<ProveResult> prove(const cost::StageProblem& problem, const SolveOptions& options, Observer& observer, const Limits& limits) {
    if (auto checked = check_options(problem, options); !checked) return fail(std::move(checked.error()));
    const auto bound = bound::find_bound(options.bound);
    if (!bound) return fail(bound.error());

    Meeting meeting(observer, limits, 0, false);
    Solver solver(problem, options, meeting);
    solver.begin();
    solver.prove(**bound, solver.bound_needed(), std::max(1, options.threads), meeting.limits());
    if (!solver.has_bound()) solver.open(*bound);  // not before: who names a bound wants to see that one
    return std::move(solver).bound_result();
}

plan::Plan make_plan(const graph::Graph& graph, const platform::Platform& platform, const cost::FrozenProblem& frozen,
                     const SolveOptions& options, const SolveResult& result) {
    plan::Plan plan = plan::make_plan(graph, platform, frozen, result.partition, options.stages);
    plan.bound =
        plan::BoundClaim{.value = result.certificate.value, .kind = std::string(result.certificate.kind()), .certified = result.certified};
    plan.objective = options.objective;
    plan.method = result.method;
    if (options.max_replicas > 1) plan.options.emplace_back("replicas", std::to_string(options.max_replicas));
    if (!result.winner.empty()) plan.options.emplace_back("winner", result.winner);
    plan.seed = options.seed;
    plan.termination = result.termination;
    return plan;
}

}  // namespace sluice::solve
