// State dominance (notes/bounds 2.4, proof there): of two downsets D inside D' that partitions may have covered with equally many devices,
// D can be dropped when every completion of D gives one of D' that is stage by stage no dearer. Sufficient: for every Y inside X = D' \ D
//   work(Y) + bytes of dead tensors that cross the border of Y >= bytes made in Y and read outside D'
// (dead: all readers in D'), which one maximum flow on X decides. Exact integers; deterministic; one flow of |X| vertices a test.
#pragma once

#include <span>
#include <vector>

#include "sluice/graph/min_cut.hpp"
#include "sluice/search/serial_problem.hpp"

namespace sluice::search {

/// Tests against one state at most; a kept state more costs time, never correctness.
inline constexpr int kDominanceTries = 20;

[[nodiscard]] inline bool contains(std::span<const std::uint64_t> set, std::span<const std::uint64_t> subset) {
    for (std::size_t w = 0; w < set.size(); ++w)
        if (subset[w] & ~set[w]) return false;
    return true;
}

/// Reusable scratch memory: one per thread.
class Dominance {
public:
    explicit Dominance(const SerialProblem& problem);
    /// Needs `smaller` inside `larger`, both downsets as words of 64 groups.
    [[nodiscard]] bool dominates(std::span<const std::uint64_t> larger, std::span<const std::uint64_t> smaller);

private:
    const SerialProblem& problem_;
    graph::FlowNetwork network_;
    std::vector<std::uint32_t> vertex_;  // per group: its vertex + 1 while it is in X
    std::vector<SerialProblem::Index> difference_, dead_;
    std::vector<char> seen_;  // per tensor
};

}  // namespace sluice::search
