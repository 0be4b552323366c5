// What planners that try candidate after candidate share: the best partition so far, the count of evaluations, and why to stop.
// Candidates are offered in a fixed order by one thread, and of equals the first stays: results do not depend on the number of threads.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "sluice/inference/registry.hpp"

namespace sluice::inference {

/// Between two signs of life to the observer.
inline constexpr double kSecondsBetweenSigns = 0.1;

/// What a partition is worth, smaller is better: the objective asked for, then the other.
struct Score {
    Duration first{0}, second{0};
    friend auto operator<=>(const Score&, const Score&) = default;
};
[[nodiscard]] Score score_of(const cost::PartitionCost& cost, Objective objective);

/// Refuses calls that no planner can serve: no stages, nothing to plan, infeasible by proof.
[[nodiscard]] Result<void> check_call(const cost::StageProblem& problem, const PlannerOptions& options);

/// "no feasible plan: …", with the hard limits in notes: nothing was found, which is no proof that nothing exists.
[[nodiscard]] Diagnostic no_feasible_plan(const cost::StageProblem& problem, std::string why);

class Incumbent {
public:
    /// Begins with PlannerOptions::start. All arguments must outlive this.
    Incumbent(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits,
              std::string_view phase);

    /// True: it is valid and better than all before.
    bool offer(cost::Partition partition, std::string_view winner);
    void count(std::int64_t evaluations) { result_.termination.evaluations += evaluations; }
    /// True once good enough, out of evaluations or time, or interrupted; that is then the reason of the termination. A sign of life.
    [[nodiscard]] bool must_end();

    [[nodiscard]] bool found() const { return score_.has_value(); }
    /// Of the best; the largest duration when there is none.
    [[nodiscard]] Duration bottleneck() const { return bottleneck_; }
    [[nodiscard]] const cost::Partition& partition() const { return result_.partition; }
    [[nodiscard]] std::int64_t evaluations_left() const;
    [[nodiscard]] double seconds() const;

    /// The best; where none was found, the reason: interrupted, or no_feasible_plan(why).
    [[nodiscard]] Result<PlannerResult> take(std::string why) &&;

private:
    const cost::StageProblem* problem_;
    const PlannerOptions* options_;
    Observer* observer_;
    const Limits* limits_;
    std::string_view phase_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    double signed_at_ = 0;
    std::optional<Score> score_;
    Duration bottleneck_ = Duration::max();
    PlannerResult result_;
};

}  // namespace sluice::inference
