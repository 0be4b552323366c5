// How many chips a legal plan can use at most, and which tensor stands in the way: what `inspect` says of a model on a chip ring.
// Counted in the difference form, 0 <= f(v) - f(u) <= 1 on every edge (chip_solver.hpp): the largest shortest distance, one step forward
// along an edge, none against it, plus one; parts of the graph that do not touch each other add up. Exact where that form is (rule
// adjacent, or where it follows from the others); under the paper's triangle rule alone it is a number that can be reached, and more may
// be, since an edge may pass over a chip that lies on no way between its ends. With rule relay any order of the operators can be cut.
// A chip that can be used need not have work: whatever lies between a tensor's producer and its readers shares two chips with them, which
// bounds the bottleneck from below by half that work. What all chips together are worth is total work / that bound.
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
    Duration between{0};             // work of its producer, its readers and all that lies between: on two chips; 0: not what binds
    std::size_t usable_without = 0;  // chips, were it handed on to all readers but the first
    Duration relay{0};               // one more transfer, on each chip that hands it on
    Duration clone{0};               // work of one copy with everything it comes from
    Bytes clone_parameters;
    Duration recompute{0};  // work of its producer alone: what that reads must be at hand
};

struct UsableChips {
    std::size_t chips = 1;                   // at most the problem's
    std::size_t span = 1;                    // the same on a ring of any length
    bool exact = false;                      // no legal assignment uses more
    double worth = 1;                        // total work / the least bottleneck that the rules allow it, links being free
    std::optional<BlockingTensor> blocking;  // what binds first: most work on two chips, else fewest chips
};

[[nodiscard]] UsableChips usable_chips(const ChipProblem& problem);

}  // namespace sluice::mcm
