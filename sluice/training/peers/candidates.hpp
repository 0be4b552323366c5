// What the planners that try plan after plan share: the best so far by simulated iteration time, the count of evaluations, why to stop, and
// why nothing fitted. Candidates are offered in a fixed order by one thread, and of equals the first stays.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/training/registry.hpp"

namespace sluice::training {

/// Devices of one class: planners of equal devices plan for each apart.
struct DeviceRange {
    ClassId device{0};
    std::int64_t first = 0, count = 0;
};
/// Of the classes that support every node; with the diagnostic that names a node when there is none.
[[nodiscard]] Result<std::vector<DeviceRange>> usable_ranges(const cost::TrainingProblem& problem);

/// Micro-batch sizes to try: the one asked for, else divisors of the mini-batch. Usage diagnostic when the one does not divide it.
[[nodiscard]] Result<std::vector<std::int64_t>> micro_batches_to_try(const cost::TrainingProblem& problem, const PlannerOptions& options);

/// Stages one after another on devices one after another.
struct Shape {
    struct Stage {
        std::vector<NodeId> nodes;
        std::int64_t replicas = 1;
        bool recompute = false;
        friend auto operator<=>(const Stage&, const Stage&) = default;
    };
    std::vector<Stage> stages;
    friend auto operator<=>(const Shape&, const Shape&) = default;
};
/// Under 1F1B's caps, or all samples in flight for gpipe.
[[nodiscard]] cost::TrainingPartition place(const cost::TrainingProblem& problem, const Shape& shape, const DeviceRange& range,
                                            std::int64_t micro_batch, cost::Schedule schedule);

/// Of plans for 1F1B and zero-bubble: their rule for samples in flight counts no transfers; with one micro-batch more for every hop they
/// are hidden. nullopt: that is another schedule, more than memory holds, or what the plan has already.
[[nodiscard]] std::optional<cost::TrainingPartition> roomier(const cost::TrainingProblem& problem, cost::TrainingPartition partition);
inline constexpr std::string_view kRoomier = "one more in flight a hop";

class Candidates {
public:
    /// All arguments must outlive this.
    Candidates(const cost::TrainingProblem& problem, Observer& observer, const Limits& limits, std::string_view phase)
        : problem_(problem), observer_(observer), limits_(limits), phase_(phase) {}

    /// True: it has no faults. Simulated only where its bottleneck leaves it a chance to be better than the best. The best is simulated
    /// with room for transfers, too.
    bool offer(cost::TrainingPartition partition, std::string_view winner);
    /// True once out of evaluations or time, or interrupted; that is then the reason of the termination.
    [[nodiscard]] bool must_end();

    /// The best; where there is none: stopped, or infeasible by the least overdrawn of all that was offered.
    [[nodiscard]] Result<PlannerResult> take(std::string_view method) &&;

private:
    [[nodiscard]] double seconds() const;
    [[nodiscard]] Diagnostic nothing_fits(std::string_view method) const;

    const cost::TrainingProblem& problem_;
    Observer& observer_;
    const Limits& limits_;
    std::string_view phase_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    bool found_ = false;
    PlannerResult result_;
    std::optional<cost::TrainingPartition> nearest_;  // of those that need too much memory
    std::int64_t missing_ = 0;                        // bytes, on its fullest device
};

}  // namespace sluice::training
