// The serial relaxation that witnesses speak of (search/serial_problem.hpp has the solvers' own), rebuilt by the checker from the problem
// alone, with every merge of a witness proven again (notes/bounds 2.1).
//
// Relaxation. With charge (scale, w, t), each 0 .. scale, and under overlap w + 2 t <= scale, every stage S has scale f(S) >= g(S),
//   g(S) = w work(S) + t (in(S) + out(S)) + ceil(w max(0, parameters(S) - memory) / rate),
// work on each node's fastest class, model inputs and outputs free, memory the largest, rate the fastest of the classes that spill, no
// spill when some class never spills; a class with a hard limit holds no more than its memory, so its spill here is 0. Overlap:
// f = max(work + spill, in, out) and w <= scale - 2 t.
// Merges. Moving a group B into the stage of its only parent A costs that stage at most own(B) = w work(B) + t (bytes it makes for others)
// + ceil(w (bytes of its parameters that A does not use) / rate), and saves it the tensors of A that B alone reads; the stage B leaves
// gains at most the tensors B makes, as inputs, and loses the same saved ones. So saved >= own costs no stage anything. The other way
// round for a group with one child, with the tensors it reads in place of those it makes. Stages keep their devices, and the quotient stays
// acyclic: there is no second path between a group and its only parent or only child. Exact integers throughout.
// O(merges * size of the group moved); O(n + m) beside.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/diagnostic.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/node_set.hpp"

namespace sluice::bound {

struct CheckedGroups {
    using Index = std::uint32_t;

    std::int64_t scale = 1;       // units of this problem in a picosecond
    std::vector<Index> group_of;  // per node
    std::vector<std::int64_t> work;
    Rows<Index> predecessors, successors;  // distinct, ascending; a group's number is above its predecessors'
    // Tensors between groups that cost something; those of one producer and the same consumers are one
    std::vector<Index> producer;
    Rows<Index> consumers;  // distinct, ascending, at least one
    std::vector<std::int64_t> transfer;
    Rows<Index> inputs, outputs;  // tensors per group
    // Parameters where they can spill; those of the same users are one
    bool spills = false;
    std::int64_t charge_work = 1, memory = 0, rate = 1;  // bytes, bytes a second
    std::vector<std::int64_t> weight_bytes;
    Rows<Index> weights;  // per group

    [[nodiscard]] std::size_t size() const { return work.size(); }
    [[nodiscard]] std::size_t tensors() const { return producer.size(); }
    /// ceil(w bytes / rate) in picoseconds, and that of what a stage of so many parameter bytes spills. 0 unless parameters can spill.
    [[nodiscard]] std::int64_t transfer_time(std::int64_t bytes) const;
    [[nodiscard]] std::int64_t spill_time(std::int64_t parameters) const {
        return parameters > memory ? transfer_time(parameters - memory) : 0;
    }
    /// Work of a downset less the tensors that leave it.
    [[nodiscard]] std::int64_t value_of(const graph::NodeSet& downset) const;
};

/// Groups numbered as `order` has them, by any node of each, or, when it is empty, lowest first: always next the group with the lowest node
/// among those whose predecessors have numbers. Fails when a merge is not proven, the order is not topological, or sums could leave int64.
[[nodiscard]] Result<CheckedGroups> check_groups(const cost::StageProblem& problem, std::int64_t scale, std::int64_t work,
                                                 std::int64_t transfer, std::span<const std::pair<NodeId, NodeId>> merges,
                                                 std::span<const NodeId> order);

}  // namespace sluice::bound
