// What makes two graphs the same for a plan: structure, names of tensors, shapes, bytes, stage constraints and given costs. Names of
// operators, features and assumptions are left out: a plan stays valid when they change. O(size of the graph).
#pragma once

#include <string>

#include "sluice/graph/graph.hpp"

namespace sluice::graph {

/// 32 hex digits.
[[nodiscard]] std::string fingerprint(const Graph& graph);

}  // namespace sluice::graph
