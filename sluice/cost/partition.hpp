// A partition of a StageProblem into stages, its check and its price: what planners return and a plan is made of.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sluice/cost/stage_cost.hpp"

namespace sluice::cost {

/// The number of no stage.
inline constexpr std::size_t kNoStage = static_cast<std::size_t>(-1);

struct Stage {
    std::vector<NodeId> nodes;  // in execution order
    ClassId device{0};
    std::int64_t replicas = 1;  // devices that serve it; each holds all its parameters
    friend bool operator==(const Stage&, const Stage&) = default;
};

/// Stages in a topological order of the stage graph; none empty.
struct Partition {
    std::vector<Stage> stages;
    friend bool operator==(const Partition&, const Partition&) = default;
};

struct PartitionCost {
    std::vector<StageTerms> stages;
    Duration bottleneck{0};  // max over stages of ceil(stage_time / replicas)
    Duration latency{0};     // longest path of stage times through the stage graph
    Bytes peak_memory;       // largest parameters + peak of a stage
};

[[nodiscard]] PartitionCost price(const StageProblem& problem, const Partition& partition);

/// Everything that makes a partition a valid answer, each failure named: every node once, no empty stage, nodes in a topological order
/// inside a stage, acyclic stage graph and stages in such an order (a cycle is named), devices within `stages` and the class counts,
/// support, hard memory.
[[nodiscard]] std::vector<Diagnostic> faults_of(const StageProblem& problem, const Partition& partition, std::int64_t stages);

/// Sorts stages topologically and nodes inside each by number, drops empty stages; fails with the cycle when the stage graph has one.
[[nodiscard]] Result<Partition> normalise(const StageProblem& problem, Partition partition);

}  // namespace sluice::cost
