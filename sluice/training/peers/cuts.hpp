// Where a linear pipeline may be cut: downsets of the graph, each stage what one has more than another. Shared by the planners of chains of
// stages (PipeDream, Piper).
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/cost/training_problem.hpp"
#include "sluice/graph/node_set.hpp"

namespace sluice::training {

struct Cuts {
    std::vector<graph::NodeSet> sets;  // smaller ones first: from nothing to everything
    bool chain = false;                // each holds the one before
    [[nodiscard]] std::size_t count() const { return sets.size(); }
    /// Whether a stage may begin behind cut `a` and end at cut `b`; a < b.
    [[nodiscard]] bool nested(std::size_t a, std::size_t b) const { return chain || sets[b].contains(sets[a]); }
    /// In ascending order, which is topological.
    [[nodiscard]] std::vector<NodeId> between(std::size_t a, std::size_t b) const;
};

/// Sums over the nodes below every cut.
template <typename Value>
[[nodiscard]] std::vector<Value> sums_below(const Cuts& cuts, const std::vector<Value>& of_nodes) {
    std::vector<Value> sums;
    sums.reserve(cuts.count());
    for (std::size_t c = 0; c < cuts.count(); ++c) {
        Value sum{};
        if (c > 0 && cuts.chain) {
            sum = sums.back();
            for (const NodeId node : cuts.between(c - 1, c)) sum += of_nodes[node.index()];
        } else {
            cuts.sets[c].for_each([&](std::size_t v) { sum += of_nodes[v]; });
        }
        sums.push_back(sum);
    }
    return sums;
}

/// What goes from one node to others, and its gradient back.
struct CutTensor {
    NodeId from;
    std::vector<NodeId> to;
    Bytes bytes;         // both directions together
    Bytes forward = {};  // the first alone
};
/// Whether it is made below a cut and read above.
[[nodiscard]] bool crosses(const CutTensor& tensor, const graph::NodeSet& below);
/// Of a chain, per node the first cut that it is below.
[[nodiscard]] std::vector<std::size_t> first_cuts(const Cuts& chain);

/// use(cut, number of the tensor) for every tensor that crosses a cut, at each cut in the order of the tensors.
template <typename Tensor, typename Use>
void for_each_crossing(const Cuts& cuts, const std::vector<Tensor>& tensors, Use&& use) {
    const std::vector<std::size_t> first = cuts.chain ? first_cuts(cuts) : std::vector<std::size_t>{};
    for (std::size_t t = 0; t < tensors.size(); ++t) {
        if (!cuts.chain) {
            for (std::size_t c = 0; c < cuts.count(); ++c)
                if (crosses(tensors[t], cuts.sets[c])) use(c, t);
            continue;
        }
        std::size_t last = 0;
        for (const NodeId reader : tensors[t].to) last = std::max(last, first[reader.index()]);
        for (std::size_t c = first[tensors[t].from.index()]; c < last; ++c) use(c, t);
    }
}

/// Nodes of `joining`, which holds all ancestors of its nodes, join where one that needs them does. nullopt: more than `most` cuts.
[[nodiscard]] std::optional<Cuts> downset_cuts(const Rows<NodeId>& predecessors, std::size_t most, const graph::NodeSet& joining);
/// The prefixes of a topological order.
[[nodiscard]] Cuts prefix_cuts(std::span<const NodeId> order);

/// A topological order that finishes one branch before it begins the next: post-order from the sinks, heaviest ancestors first
/// (notes/bounds 2.2). O(n m / 64). Deterministic.
[[nodiscard]] std::vector<NodeId> linear_order(const Rows<NodeId>& predecessors, const Rows<NodeId>& successors,
                                               std::span<const std::int64_t> work);

/// Nodes without work and parameters that need no others: model inputs, chiefly. Cutting behind them is of no use, and where they join
/// late they cross no border before.
[[nodiscard]] graph::NodeSet free_nodes(const cost::TrainingProblem& problem);

}  // namespace sluice::training
