// Which operators form one node of the StageProblem: those of one colour or of one group that was measured as one kernel, and whatever
// lies on a path between two of them (a stage that holds both must hold it too, or the stage graph has a cycle). These are the strongly
// connected components of the graph in which each such set is one vertex; sets that share an operator are one set. Operators that are
// replicated for free take no part.
// O(operators + edges + nodes log nodes). Deterministic.
#pragma once

#include <span>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/graph/graph.hpp"

namespace sluice::cost {

struct Contraction {
    Rows<OperatorId> operators;   // per node, ascending: the graph numbers its operators topologically
    std::vector<NodeId> node_of;  // per operator; invalid: replicated
};

/// Nodes are numbered topologically, the one with the smallest operator first among the ready; without colours and groups that is the
/// graph's own order. `joined`: groups of placed operators.
[[nodiscard]] Contraction contract(const graph::Graph& graph, std::span<const std::vector<OperatorId>> joined = {});

}  // namespace sluice::cost
