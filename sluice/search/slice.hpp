// Slice DP: the best cut of a given order into at most k consecutive stages.
// Source: Archer et al., ICML 2024, Algorithm 1 (SliceGraph); pruning: work + in of a growing segment never falls (notes/inference 3.1).
// Exact for the order. O(n · window · k) time where window is the longest segment below the incumbent; O(n k) memory. Deterministic.
#pragma once

#include <optional>
#include <memory>
#include <span>

#include "sluice/base/stop.hpp"
#include "sluice/cost/partition.hpp"

namespace sluice::search {

struct SliceOptions {
    std::int64_t stages = 1;                 // k >= 1
    std::optional<Duration> below;           // only partitions with a bottleneck strictly below this matter
};

/// Reusable scratch memory: one per thread.
class Slicer {
public:
    explicit Slicer(const cost::StageProblem& problem);
    ~Slicer();
    Slicer(Slicer&&) noexcept;
    Slicer& operator=(Slicer&&) noexcept;

    /// The optimal slicing of `order` (a topological order of all nodes), or nullopt when none is feasible (or below `below`).
    [[nodiscard]] std::optional<cost::Partition> slice(std::span<const NodeId> order, const SliceOptions& options);

private:
    struct Scratch;
    std::unique_ptr<Scratch> scratch_;
};

}  // namespace sluice::search
