// A DAG as a tree of series and parallel parts, for planners that cut a model along them.
//
// A part in series precedes the whole of the next; parts side by side are independent. A DAG has such a tree exactly when its order of
// reachability has no N (a < c, a < d, b < d and nothing else among four nodes). Others are rewritten: precedence is added, never taken
// away, so that what the tree allows the graph allows, and every node is still in the tree once.
//
// Valdes, Tarjan and Lawler, "The recognition of series parallel digraphs" (SIAM J. Comput. 1982): each node becomes an edge between two
// points, each arc an edge without content, and edges in series and side by side are joined until one is left. An empty edge that is the
// only one out of its point, or into it, is contracted; where nothing else is left to do, empty edges beside a longer way are dropped and
// points with the same empty edges out become one. What then resists is rewritten, in each component of the smallest blocks with one entry
// and one exit: points as far from the entry (in edges) become one, and edges that cross after that end earlier.
// Near-linear but for the empty edges beside a longer way: O(points of what is left x its edges / 64). Deterministic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/csr.hpp"

namespace sluice::graph {

struct Arc {
    std::uint32_t from = 0, to = 0;
};

struct SeriesParallelTree {
    enum class Kind : std::uint8_t { leaf, series, parallel };
    struct Part {
        Kind kind = Kind::leaf;
        std::uint32_t node = 0;               // of a leaf
        std::vector<std::uint32_t> children;  // two or more, of another kind; in series: in order; side by side: by their smallest node
    };
    std::vector<Part> parts;    // children before their parent, the root last; empty without nodes
    std::size_t converted = 0;  // nodes in parts that were rewritten
};

/// Arcs may be repeated and in any order; they must have no cycle.
[[nodiscard]] SeriesParallelTree series_parallel_tree(std::size_t nodes, std::span<const Arc> arcs);

template <typename Id>
[[nodiscard]] SeriesParallelTree series_parallel_tree(const Rows<Id>& successors) {
    std::vector<Arc> arcs;
    arcs.reserve(successors.total());
    for (std::size_t v = 0; v < successors.size(); ++v)
        for (const Id next : successors[v]) arcs.push_back({static_cast<std::uint32_t>(v), static_cast<std::uint32_t>(next.index())});
    return series_parallel_tree(successors.size(), arcs);
}

/// Per part: equal for parts that are the same up to the order of what is side by side, with equal labels of their nodes.
[[nodiscard]] std::vector<std::uint64_t> part_hashes(const SeriesParallelTree& tree, std::span<const std::uint64_t> labels);

}  // namespace sluice::graph
