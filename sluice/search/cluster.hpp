// Partitions for low latency: operators are grouped as long as that shortens the longest path, so that what can run at once stays apart and
// what waits for each other comes together. Edge zeroing (Sarkar, Partitioning and Scheduling Parallel Programs, 1989): every operator a
// group of its own; edges from the dearest transfer down, the groups at both ends become one when no cycle comes of it and the latency does
// not rise; then, while there are more groups than devices, the merge of the shortest group that raises the latency least.
// O(m (n + m)) worst case, far less once chains are groups. Deterministic in its random stream.
#pragma once

#include <optional>

#include "sluice/base/random.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/cost/partition.hpp"

namespace sluice::search {

struct ClusterOptions {
    std::int64_t stages = 1;
    RandomStream* random = nullptr;  // each edge's transfer is scaled by a factor in [1/2, 3/2]
    const Limits* limits = nullptr;
};

/// Valid, one device a stage. nullopt: told to stop, or the groups left find no classes of devices with memory and support for them.
[[nodiscard]] std::optional<cost::Partition> cluster(const cost::StageProblem& problem, const ClusterOptions& options);

}  // namespace sluice::search
