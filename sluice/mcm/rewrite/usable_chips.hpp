// How many chips a legal plan can use at most, and which tensor stands in the way: what `inspect` says of a model on a chip ring.
// Counted in the difference form, 0 <= f(v) - f(u) <= 1 on every edge (chip_solver.hpp): the largest shortest distance, one step forward
// along an edge, none against it, plus one; parts of the graph that do not touch each other add up. Exact where that form is (rule
// adjacent, or where it follows from the others); under the paper's triangle rule alone it is a number that can be reached, and more may
// be, since an edge may pass over a chip that lies on no way between its ends. With rule relay any order of the operators can be cut.
// Memory and nogoods are not looked at. O(nodes without inputs x (nodes + edges)). Deterministic.
#pragma once

#include <cstddef>
#include <optional>

#include "sluice/mcm/chip_problem.hpp"

namespace sluice::mcm {

/// A tensor whose readers hold the graph together, and what freeing them costs.
struct BlockingTensor {
    TensorId tensor;
    std::size_t readers = 0;
    std::size_t usable_without = 0;  // chips, had every reader the tensor for itself
    Duration relay{0};               // one more transfer, on each chip that hands it on
    Duration clone{0};               // work of one copy with everything it comes from
    Bytes clone_parameters;
    Duration recompute{0};  // work of its producer alone: what that reads must be at hand
};

struct UsableChips {
    std::size_t chips = 1;                   // at most the problem's
    std::size_t span = 1;                    // the same on a ring of any length
    bool exact = false;                      // no legal assignment uses more
    std::optional<BlockingTensor> blocking;  // while span < chips of the problem: freeing its readers gains most
};

[[nodiscard]] UsableChips usable_chips(const ChipProblem& problem);

}  // namespace sluice::mcm
