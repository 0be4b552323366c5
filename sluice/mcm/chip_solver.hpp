// What is still possible: for every node the chips that no rule has ruled out, as decisions come in one after another. Interface and use
// after the solver of Xie et al. (MLSys 2022, section 4): `domain`, and `restrict`, which propagates and takes back what fails.
//
// Sound: a chip is only ever removed where no legal assignment under the standing decisions has the node there. Complete: when every node
// is decided the assignment is legal, and `restrict` says no only when none exists.
//
// Two forms, chosen by the problem:
//   difference  acyclic together with adjacent: 0 <= f(v) - f(u) <= 1 on every edge, interval propagation; triangle is implied. Adjacent
//               is also taken up where it follows from the others, given acyclic: at most 2 chips; or no_skip and triangle, and every
//               node but the last feeds the next one in the order (then each chip used feeds the next, so an edge over a chip would
//               stand beside a longer way). In no other graph is it taken up: s -> a, s -> b with f = 0, 1, 2 is legal and not adjacent.
//   general     bounds for acyclic; for triangle the C x C matrix of the chip graph between decided nodes, its closure, and per chip the
//               targets that would put an edge beside a longer way; for no_skip the chips that someone must still fill.
// In the difference form of a weakly connected graph no_skip comes down to one node without inputs on chip 0. `domain` then is exact while
// no memory limit and no nogood bind and every mask given to `restrict` is an interval: whatever value is chosen, nothing is ever taken
// back. (The table for this has a byte for each node and node without inputs; above 64 MiB it is left out, and decisions may be taken
// back.) Otherwise decisions are taken back one by one, last first: exponential in the worst case.
// From a uniform distribution the general form finds next to nothing in graphs of hundreds of operators: use it to repair what is nearly
// legal, and rule adjacent to sample.
//
// Propagation of one decision: O(nodes touched x degree), general also O(C^2 + edges) for each new pair of chips; nogoods cost what
// nogoods.hpp says. Deterministic.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "sluice/mcm/chip_problem.hpp"
#include "sluice/mcm/nogoods.hpp"

namespace sluice::mcm {

struct SolverCounts {
    std::uint64_t decisions = 0;
    std::uint64_t backtracks = 0;    // decisions taken back
    std::uint64_t propagations = 0;  // domains narrowed
};

class ChipSolver {
public:
    /// `problem` outlives this.
    explicit ChipSolver(const ChipProblem& problem);

    [[nodiscard]] const ChipProblem& problem() const { return *problem_; }
    /// False: no legal assignment exists.
    [[nodiscard]] bool consistent() const { return consistent_; }
    /// The chips the node can still be on, bit d for chip d. Never empty while consistent.
    [[nodiscard]] std::uint64_t domain(NodeId node) const;
    /// One chip is left.
    [[nodiscard]] bool decided(NodeId node) const { return chip_[node.index()] != kOpen; }
    [[nodiscard]] std::size_t chip(NodeId node) const { return chip_[node.index()]; }

    /// Decides that the node is on one of the chips of `mask`, and propagates. Where that fails, it is taken back and its contrary holds
    /// from there on; where that fails too, so are earlier decisions, last first. Returns how many decisions stand: one more than before,
    /// or it is that decision's turn again. nullopt: no legal assignment exists. A mask without a chip of the domain changes nothing.
    std::optional<std::size_t> restrict(NodeId node, std::uint64_t mask);
    [[nodiscard]] std::size_t depth() const { return levels_.size(); }
    /// Back to before the first decision; what was learnt stays.
    void reset();
    /// From now on these nodes must not all lie on one chip: they failed to compile. Forgets all decisions.
    void learn(std::vector<NodeId> nogood);

    /// Why no legal assignment exists; also, while one may: where the last decision failed.
    [[nodiscard]] Diagnostic why() const;
    [[nodiscard]] const SolverCounts& counts() const { return counts_; }

private:
    static constexpr std::uint8_t kOpen = Nogoods::kOpen;
    struct Change {
        std::uint32_t node;
        std::uint64_t before;
    };
    struct Level {
        std::uint32_t node;
        std::uint64_t mask;
        std::size_t changes, placed;
    };
    struct Conflict {
        std::string_view rule;
        NodeId node, other;
    };

    [[nodiscard]] std::uint64_t everything() const { return below(chips_); }
    [[nodiscard]] static std::uint64_t below(std::size_t chip) { return chip >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << chip) - 1; }
    void choose_form();
    void measure_anchors();
    void start();
    bool narrow(std::size_t node, std::uint64_t mask, std::string_view rule, NodeId other = {});
    bool fail(std::string_view rule, NodeId node = {}, NodeId other = {});
    bool propagate();
    bool settle();
    bool bounds(std::size_t node);
    bool place(std::size_t node);
    void unplace(std::size_t node);
    bool near_nogoods(std::size_t node);
    void close_chip_graph();
    bool triangle_around(std::size_t node);
    bool triangle_everywhere();
    bool prefix();
    bool memory();
    bool anchored();
    void undo(std::size_t changes, std::size_t placed);
    [[nodiscard]] Bytes missing_bytes(std::size_t node, std::size_t chip) const;

    const ChipProblem* problem_;
    std::size_t nodes_, chips_;
    bool acyclic_, adjacent_, triangle_, prefix_, memory_ = false, anchor_ = false;
    bool consistent_ = true;
    SolverCounts counts_;
    Conflict conflict_;

    std::vector<std::uint64_t> domain_;
    std::vector<std::uint8_t> chip_;  // of those whose single chip was taken notice of
    std::vector<Change> changes_;
    std::vector<std::uint32_t> placed_;
    std::vector<Level> levels_;
    std::size_t first_change_ = 0, first_placed_ = 0;  // those before the first decision
    std::vector<std::uint32_t> queue_;                 // a ring: no node stands in it twice
    std::vector<char> queued_;
    std::size_t queue_head_ = 0, queue_size_ = 0;

    // no_skip, general
    std::vector<std::uint32_t> holders_, used_;  // per chip: domains that have it; nodes placed on it
    // no_skip, difference: nodes without inputs, how far from each a node can be at most
    std::vector<std::uint32_t> sources_;
    std::vector<std::uint8_t> reach_;  // node x source
    std::vector<std::uint8_t> least_reach_;
    std::size_t on_chip_0_ = 0, maybe_on_chip_0_ = 0;  // sources last seen so

    // triangle
    std::vector<std::uint32_t> transfers_;              // chip x chip: edges between placed nodes
    std::vector<std::uint64_t> hops_;                   // per chip: targets of its transfers
    std::vector<std::uint64_t> no_target_, no_source_;  // per chip: others that it must not feed, that must not feed it
    bool chip_graph_changed_ = false, chip_graph_wrong_ = false, triangle_due_ = false;

    // memory
    Bytes sram_, unplaced_;
    std::vector<Bytes> own_, load_;            // per node, per chip
    std::vector<std::uint32_t> heavy_;         // nodes with parameters, most first
    std::vector<std::uint16_t> weight_chips_;  // per weight: chips that hold it
    std::vector<std::uint32_t> weight_uses_;   // weight x chip: nodes placed there that use it
    std::uint64_t memory_due_ = 0;

    Nogoods nogoods_;
    NodeId alone_;  // a nogood by itself
};

}  // namespace sluice::mcm
