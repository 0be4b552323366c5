// Where in the pipeline an operator stands by itself, before anything is learned: how many chips a problem can use, and for each node the
// share of all work before it, or where memory decides, its place in the evenest slicing (search/cuts.hpp). The prior of the ordinal
// policy, and the heuristic that rewards are relative to. Under the adjacent rule 0 <= f(v) - f(u) <= 1 on every edge, so a chip's number
// is a labelling of a difference system: the greatest one is the 0-1 distance from an anchor (forward 1, backward 0), the least comes from
// the far end. O((nodes + edges) x anchors tried), of which there are few enough to keep that below 2^24. Deterministic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/mcm/chip_solver.hpp"

namespace sluice::mcm::policy {

struct Positions {
    Rules rules;                 // that samples are drawn under; legal under them is legal in the problem
    std::size_t usable = 1;      // chips that an assignment under the adjacent rule can have
    std::vector<float> of_node;  // in (0, 1): where the middle of the node's work lies, in an order
    Assignment chips;            // of_node times usable, repaired
    Duration period{0};          // its bottleneck under the planners' cost
};

/// Orders tried: the nodes' own, and by the greatest, the least and the middle labelling; the one whose repaired assignment has the least
/// bottleneck stays (one repair each); half as many chips where none can be repaired. Rules: `adjacent` on top of the problem's (sample.hpp
/// says why), except where relays make every transfer one to the next chip anyway and that rule would leave chips without work or nothing
/// that is legal. Diagnostics: infeasible, or no legal assignment found within the limit.
[[nodiscard]] Result<Positions> equal_work_positions(const ChipProblem& problem);

/// The problem under the rules of its positions.
[[nodiscard]] ChipProblem sampling_problem(const ChipProblem& problem, const Positions& positions);

}  // namespace sluice::mcm::policy
