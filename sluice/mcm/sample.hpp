// Legal assignments from a distribution or from a candidate: modes SAMPLE and FIX of Xie et al. (MLSys 2022, section 4).
// Both walk the nodes in an order, ask the solver what is left for each, decide and go back where the solver says so. One walk takes
// O(nodes + propagation) while nothing is taken back; the limit bounds the rest. Deterministic for a stream's seed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/mcm/chip_solver.hpp"

namespace sluice::mcm {

/// Nodes are numbered in a topological order. bisection: its middle, then the middles of both halves, and so on, so that the same nodes
/// decide much; from_middle: by distance from the middle one in the graph without directions. topological collapses to one end under a
/// uniform distribution.
enum class WalkOrder { bisection, random, topological, from_middle };
inline constexpr std::array kWalkOrders{WalkOrder::bisection, WalkOrder::random, WalkOrder::topological, WalkOrder::from_middle};
[[nodiscard]] std::string_view to_text(WalkOrder order);
[[nodiscard]] std::vector<NodeId> walk_order(const cost::StageProblem& costs, WalkOrder order, RandomStream& random);

struct WalkLimits {
    std::uint64_t backtracks = 10'000;
};

struct Sample {
    Assignment chips;
    /// Of the choices that stand, each within the mask it was drawn from. Where nothing was taken back it is that of the whole draw.
    double log_probability = 0;
    std::vector<std::uint64_t> masks;  // per position of the order: the domain its chip was drawn from
    SolverCounts counts;
};

/// Draws each node's chip in proportion to its row among the chips left; evenly where those have none. `probabilities`: node x chip, not
/// negative, rows need no sum; empty: all alike. `order`: every node once. Diagnostics: infeasible, none exists; stopped, none was found
/// within the limit.
[[nodiscard]] Result<Sample> sample(ChipSolver& solver, std::span<const float> probabilities, std::span<const NodeId> order,
                                    RandomStream& random, const WalkLimits& limits = {});

enum class OpenNodes { nearest, random };  // to the candidate's chip, the lower of two; evenly

struct Fixed {
    Assignment chips;
    std::size_t kept = 0;  // nodes on the candidate's chip
    SolverCounts counts;
};

/// A legal assignment near `candidate`: pins its chips where they are still possible, in the order, then decides the others. A legal
/// candidate comes back as it is. Diagnostics as for sample.
[[nodiscard]] Result<Fixed> fix(ChipSolver& solver, std::span<const std::uint8_t> candidate, std::span<const NodeId> order, OpenNodes open,
                                RandomStream& random, const WalkLimits& limits = {});

}  // namespace sluice::mcm
