// The multi-chip job (design §3.2): operators go to chips 0 … C-1 of a ring, data moves forward only. Which assignments are legal, and what
// one costs: per chip the objective of §3.1. What only the compile step knows (schedule, allocation) comes back as nogoods.
// Rules after Xie et al., "A Transferable Approach for Partitioning Machine Learning Models on Multi-Chip-Modules", MLSys 2022.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/cost/stage_problem.hpp"

namespace sluice::mcm {

inline constexpr std::size_t kMostChips = 64;  // a domain is one word

/// Each can be switched off to see what it costs. f: the chip of a node; an edge: producer -> consumer of a tensor.
struct Rules {
    bool acyclic = true;    // f(u) <= f(v) on every edge
    bool no_skip = true;    // the chips used are 0 … k
    bool triangle = true;   // no edge a -> b, a != b, of the chip graph stands beside a walk of two or more hops from a to b
    bool memory = true;     // the parameters of a chip fit its SRAM, each counted once where it is used
    bool adjacent = false;  // f(v) <= f(u) + 1 on every edge: stricter than the paper. With acyclic it implies triangle
    /// Every chip between a tensor's producer and its last reader hands it on: it enters and leaves there, and every transfer is to the
    /// next chip, so triangle holds. What a plan records as relays (rewrite/). Needs acyclic.
    bool relay = false;
};

struct ChipProblem {
    const cost::StageProblem* costs = nullptr;  // outlives this
    std::size_t chips = 1;                      // 1 … kMostChips
    std::optional<Bytes> sram;                  // of a chip; none: no limit
    Rules rules;
    std::vector<std::string> names;            // per node, for diagnostics
    std::vector<std::vector<NodeId>> nogoods;  // nodes that must not all lie on one chip; none empty
    /// Per node that of its operator with the most FLOPs; empty: not known. No rule asks for it: what learns does.
    std::vector<graph::OperatorClass> classes = {};

    [[nodiscard]] std::size_t node_count() const { return costs->node_count(); }
};

/// The chip of each node.
using Assignment = std::vector<std::uint8_t>;

/// `costs` as frozen from `graph` for `platform`. Diagnostics: no ring or chain; chips of several classes; none or more than kMostChips.
[[nodiscard]] Result<ChipProblem> chip_problem(const graph::Graph& graph, const cost::StageProblem& costs,
                                               const platform::Platform& platform, const Rules& rules = {});

/// The stage time of every chip, 0 where it is empty. Linear in the problem.
[[nodiscard]] std::vector<Duration> chip_times(const ChipProblem& problem, std::span<const std::uint8_t> assignment);
/// The largest of them.
[[nodiscard]] Duration bottleneck(const ChipProblem& problem, std::span<const std::uint8_t> assignment);

}  // namespace sluice::mcm
