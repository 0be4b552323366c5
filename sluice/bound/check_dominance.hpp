// One downset against a larger one, for the checker (notes/bounds 2.4).
//
// Let D be contained in D', X = D' \ D. If for every subset Y of X
//   work(Y) + dead(Y) >= alive(Y),
// then whatever completes D on some devices gives what completes D' on the same: take X out of every later stage. Here dead(Y) sums the
// tensors whose consumers all lie in D' and whose ends Y separates (its producer in Y and a consumer not, or the reverse), and alive(Y)
// those made in Y that are read outside D' and whose consumers inside X are all in Y. Proof: let S be a later stage and Y = X n S. S \ Y
// loses work(Y). A tensor made in Y: a dead one was an output of S when a consumer lies outside S, that is in X \ Y, and no stage reads
// it any more; an alive one becomes an input of S \ Y at worst, and where a consumer lies outside S it was an output before. A tensor not
// made in Y but read there: a dead one was an input of S, and nothing in S \ Y reads it. All else stays, parameters only shrink, and the
// union of D' with a chain of downsets is one. With Y = X: value(D') >= value(D), value = work - cut.
//
// The least of work(Y) + dead(Y) - alive(Y) is a minimum cut; a feasible flow that saturates all alive tensors shows that it is not below
// 0. The flow is found here and then verified arc by arc, so that nothing rests on how it was found. Small: X has a few dozen groups.
// Augmenting paths by breadth-first phases. Deterministic.
#pragma once

#include <cstdint>
#include <vector>

#include "sluice/bound/check_flow.hpp"
#include "sluice/bound/check_groups.hpp"
#include "sluice/graph/node_set.hpp"

namespace sluice::bound {

class CheckedDominance {
public:
    explicit CheckedDominance(const CheckedGroups& groups);

    /// Shown: `larger` completes wherever `smaller` does. Both downsets, the first contains the second.
    [[nodiscard]] bool shown(const graph::NodeSet& larger, const graph::NodeSet& smaller);

private:
    using Index = CheckedGroups::Index;

    void build(const graph::NodeSet& larger);

    const CheckedGroups* groups_;
    std::vector<Index> difference_;  // X
    std::vector<Index> local_;       // per group: its vertex, 0 outside X
    std::vector<Index> seen_;        // per tensor: call that looked at it
    Index call_ = 0;
    std::int64_t alive_ = 0;
    CheckedFlow flow_;
};

}  // namespace sluice::bound
