// Topological orders whose slicings make good partitions. A slice pays for every tensor alive at its borders, so the better orders
// finish one branch before they begin the next and bring side branches as late as possible.
// All are deterministic; the perturbed forms are so in their random stream.
#pragma once

#include <span>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::inference {

using Order = std::vector<NodeId>;

/// The numbering of the problem itself.
[[nodiscard]] Order model_order(const cost::StageProblem& problem);

/// Kahn's algorithm with a uniform choice among the ready nodes. O(n + m).
[[nodiscard]] Order random_order(const cost::StageProblem& problem, RandomStream& random);

/// Kahn's algorithm with a stack: goes on with what just became ready. With a stream: nodes that become ready together are shuffled. O(n +
/// m).
[[nodiscard]] Order depth_first_order(const cost::StageProblem& problem, RandomStream* random = nullptr);

/// Kahn's algorithm, next the ready node that leaves the least transfer time alive (made minus freed; ties: lowest number). With a
/// stream: each node's gain is scaled by a factor in [1/2, 3/2]. O(m log m).
[[nodiscard]] Order greedy_frontier_order(const cost::StageProblem& problem, RandomStream* random = nullptr);

enum class ConeDirection {
    from_sinks,   // post-order from the sinks, heaviest ancestor cone first: a side branch lands just before its first reader
    from_sources  // its mirror: a branch begins as soon as its input exists
};
/// The work of everything a node stands on (ancestors for from_sinks, descendants for from_sources), itself included.
/// Exact, by words of 64 nodes at a time: O(n m / 64 + n^2 / 8) time, O(n) memory.
[[nodiscard]] std::vector<Duration> cone_work(const cost::StageProblem& problem, ConeDirection direction);

/// Heavy-cone-first post-order (notes/bounds 2.2). `cones` is cone_work of the same direction; with a stream each cone is scaled by a
/// factor in [1/2, 3/2]. O(n + m log m).
[[nodiscard]] Order heavy_cone_order(const cost::StageProblem& problem, ConeDirection direction, std::span<const Duration> cones,
                                     RandomStream* random = nullptr);

}  // namespace sluice::inference
