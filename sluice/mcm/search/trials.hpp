// The evaluations of one search: asks the judge, keeps the best and the curve, counts, says when a limit is reached. Every planner of this
// layer, and whatever learns, asks through it, so that budgets mean the same everywhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/mcm/registry.hpp"

namespace sluice::mcm {

class Trials {
public:
    /// `problem` and what `options` points to outlive this.
    Trials(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits);

    /// No more evaluations: a limit is reached, somebody wishes it, the judge itself failed, or the best is as good as is proven.
    [[nodiscard]] bool over() const;
    [[nodiscard]] std::int64_t evaluations() const { return evaluations_; }
    /// Of Limits::evaluations; the largest number there is without that limit.
    [[nodiscard]] std::int64_t evaluations_left() const;

    /// One evaluation of a legal assignment (asserted in heavy builds). nullptr: it is over, or the judge itself failed. Else valid until
    /// the next call. `source`: what made the candidate, the winner should it be the best.
    const Verdict* ask(const Assignment& chips, std::string_view source);

    [[nodiscard]] bool found() const { return !best_.empty(); }
    [[nodiscard]] const Assignment& best() const { return best_; }
    [[nodiscard]] Duration best_period() const { return best_verdict_.period; }
    [[nodiscard]] const Verdict& best_verdict() const { return best_verdict_; }

    /// `reason`: of a search that ended by itself, `finished`; a limit that was reached goes before it.
    [[nodiscard]] Result<PlannerResult> finish(StopReason reason = StopReason::finished) &&;

private:
    const ChipProblem& problem_;
    const PlannerOptions& options_;
    Observer& observer_;
    const Limits& limits_;
    Limits::Clock::time_point start_ = Limits::Clock::now();
    std::int64_t evaluations_ = 0, failed_ = 0;
    Assignment best_;
    Verdict verdict_, best_verdict_;
    std::string winner_;
    std::vector<Improvement> curve_;
    std::optional<Diagnostic> last_failure_, broken_;
};

}  // namespace sluice::mcm
