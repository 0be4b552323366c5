// Slice DP: the best cut of a given order into consecutive stages, each on up to R devices of one class (its replicas), on at most k
// devices. Source: Archer et al., ICML 2024, Algorithm 1 (SliceGraph); pruning: work + in + spill of a growing segment never falls
// (notes/inference 3.1), nor do its parameters and its peak. Exact for the order: bisection over the segment costs that occur, each step
// one "fewest devices below T" sweep of O(n · window · degree) where window is the longest segment below T; an order that cannot beat
// `below` costs one sweep. Several classes multiply by the states (devices used of all classes but the largest). O(n · states + m) memory.
// Deterministic.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "sluice/base/stop.hpp"
#include "sluice/cost/partition.hpp"

namespace sluice::search {

struct SliceOptions {
    std::int64_t stages = 1;             // k >= 1: devices of all stages together
    std::int64_t max_replicas = 1;       // R >= 1: devices of one stage
    std::optional<Duration> below = {};  // only partitions with a bottleneck strictly below this matter
    Duration at_least{0};                // proven for every partition: the first slicing that reaches it is the answer
    const Limits* limits = nullptr;      // Polled every ~0.1 ms: when it says stop, the best slicing so far is the answer.
};

/// Fails when the device counts of several classes make the DP's table too large: (count + 1) multiplied over all classes but the largest.
[[nodiscard]] Result<void> sliceable(const cost::StageProblem& problem, std::int64_t stages, std::int64_t max_replicas = 1);

/// Reusable scratch memory: one per thread.
class Slicer {
public:
    explicit Slicer(const cost::StageProblem& problem);
    ~Slicer();
    Slicer(Slicer&&) noexcept;
    Slicer& operator=(Slicer&&) noexcept;

    /// The optimal slicing of `order` (a topological order of all nodes), or nullopt when none is feasible (or below `below`).
    /// Needs `sliceable`. Of equal bottlenecks the one with the fewest devices.
    [[nodiscard]] std::optional<cost::Partition> slice(std::span<const NodeId> order, const SliceOptions& options);

    /// A feasible slicing at any price, without replicas, in O(n · degree): segments as long as memory and device support allow. Finds one
    /// when there is one class without a hard memory limit; else it may miss those that exist (a shorter segment may hold more inputs for
    /// longer).
    [[nodiscard]] std::optional<cost::Partition> longest_segments(std::span<const NodeId> order, std::int64_t stages);

private:
    struct Scratch;
    std::unique_ptr<Scratch> scratch_;
};

}  // namespace sluice::search
