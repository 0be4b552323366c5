#include "sluice/mcm/search/trials.hpp"

#include <cassert>
#include <format>
#include <limits>

#include "sluice/mcm/chip_faults.hpp"

namespace sluice::mcm {

Trials::Trials(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits)
    : problem_(problem), options_(options), observer_(observer), limits_(limits) {}

bool Trials::over() const {
    return broken_ || evaluations_left() <= 0 || limits_.interrupted() || limits_.out_of_time() ||
           (found() && options_.proven && best_period() <= *options_.proven);
}

std::int64_t Trials::evaluations_left() const {
    return limits_.evaluations ? *limits_.evaluations - evaluations_ : std::numeric_limits<std::int64_t>::max();
}

const Verdict* Trials::ask(const Assignment& chips, std::string_view source) {
    if (over()) return nullptr;
#ifdef SLUICE_HEAVY_CHECKS
    assert(chip_faults(problem_, chips).empty());
#else
    assert(chips.size() == problem_.node_count());
#endif
    auto verdict = options_.judge->judge(chips);
    if (!verdict) {
        broken_ = std::move(verdict.error());
        return nullptr;
    }
    ++evaluations_;
    verdict_ = *std::move(verdict);
    if (verdict_.failure) {
        ++failed_;
        last_failure_ = verdict_.failure->why;
        return &verdict_;
    }
    if (found() && verdict_.period >= best_period()) return &verdict_;
    best_ = chips;
    best_verdict_ = verdict_;
    winner_ = source;
    curve_.push_back({evaluations_, verdict_.period});
    const std::chrono::duration<double> seconds = Limits::Clock::now() - start_;
    observer_.on_event({.seconds = seconds.count(), .phase = "search", .objective = verdict_.period, .bound = {}, .source = source});
    return &verdict_;
}

Result<PlannerResult> Trials::finish(StopReason reason) && {
    if (broken_ && !found()) return fail(*std::move(broken_));
    if (!found() && last_failure_) {
        Diagnostic none{DiagnosticKind::infeasible, "no assignment that was tried compiles", {}, {}, {}};
        return fail(std::move(none).note("the last one: " + last_failure_->message));
    }
    const bool reached = found() && options_.proven && best_period() <= *options_.proven;
    if (reached)
        reason = StopReason::optimal;
    else if (limits_.interrupted())
        reason = StopReason::interrupted;
    else if (limits_.out_of_time())
        reason = StopReason::time;
    else if (evaluations_left() <= 0)
        reason = StopReason::evaluations;
    if (!found()) return fail(Diagnostic{DiagnosticKind::stopped, "stopped before an assignment was found", {}, {}, {}});
    const std::chrono::duration<double> seconds = Limits::Clock::now() - start_;
    PlannerResult result{.chips = std::move(best_),
                         .verdict = std::move(best_verdict_),
                         .curve = std::move(curve_),
                         .failed = failed_,
                         .termination = {.reason = reason, .seconds = seconds.count(), .evaluations = evaluations_},
                         .winner = std::move(winner_)};
    if (broken_ && broken_->kind != DiagnosticKind::stopped)  // who stopped the judge knows
        result.warnings.push_back(
            std::move(*broken_).note(std::format("the search ends there; the best of {} evaluations before that is kept", evaluations_)));
    return result;
}

}  // namespace sluice::mcm
