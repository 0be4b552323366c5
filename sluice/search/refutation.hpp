// The outcome of a complete downset search: no partition has every stage at or below the threshold. What bound/ makes a certificate of
// kind exact-dp from (docs/formats/certificate.md); plain data, so that planners can hand it on without knowing certificates.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "sluice/base/ids.hpp"
#include "sluice/base/units.hpp"
#include "sluice/graph/node_set.hpp"

namespace sluice::search {

/// Tables of the chain of cuts that pruned the search (search/chain_of_cuts.hpp): an order of the nodes and how spill was charged.
struct ChainTable {
    std::vector<NodeId> order;      // one node a group, the group's first
    std::int64_t theta_halves = 0;  // of the spill: 0, 1 or 2
    bool mirrored = false;          // types by the last position inside
    friend bool operator==(const ChainTable&, const ChainTable&) = default;
};

struct Refutation {
    Duration threshold{0};  // no partition into stages of f(S) <= replicas * threshold exists
    std::int64_t stages = 0, max_replicas = 1;
    std::int64_t scale = 1, work = 1, transfer = 1;  // the relaxation searched (search::Charge)
    std::vector<std::pair<NodeId, NodeId>> merges;   // in the order they were made, by the first nodes of both groups
    std::vector<ChainTable> completion;              // tables that completions were pruned with
    bool counting = false;                           // counting weights were
    /// By devices used, 1 to k - 1: the downsets kept, as sets of nodes. Every downset that partitions below the threshold reach with so
    /// many devices, and that the tables do not rule out, is dominated by one kept with as many devices or fewer.
    std::vector<std::vector<graph::NodeSet>> kept;
};

}  // namespace sluice::search
