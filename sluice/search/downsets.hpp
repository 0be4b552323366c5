// All downsets of a graph, for planners whose states they are (PipeDream's "antichain states", Piper's "downsets").
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/graph/node_set.hpp"

namespace sluice::search {

/// The non-empty downsets, smaller ones first; nullopt when there are more than `most`. `free` must hold all descendants of its nodes: the
/// other nodes then join only where one of `free` needs them, and the last downset holds all. Node numbers are a topological order.
/// O(downsets nodes^2 / 64). Deterministic.
[[nodiscard]] std::optional<std::vector<graph::NodeSet>> downsets_of(const Rows<NodeId>& predecessors, std::size_t most,
                                                                     const graph::NodeSet& free);

}  // namespace sluice::search
