// What the machine's operators take beyond what planners think (notes/mcm.md §8: the judge is richer on purpose). Each effect multiplies
// one side of the planner's roofline by a factor >= 1 or adds a time >= 0, so no operator is ever faster than planned. After SCALE-Sim's
// closed form of a systolic array (Samajdar et al. 2018: tiles, fill and drain); the rest is sensible hardware, not anybody's chip. Only
// the judge knows these numbers. Floating point once per operator, rounded up to picoseconds; deterministic.
#pragma once

#include <array>
#include <vector>

#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::mcm {

struct EffectOptions {
    // A 64 x 64 array at 0.5 GHz has a peak of 4 TOP/s: the chip of `mcm-36`, whose planners count on half of that.
    // The inner dimension lies along the rows, the columns of the product along the columns.
    double array_rows = 64, array_columns = 64;
    // Both are filled in pieces of so many lanes: an array that can be split hands what a narrow product leaves to the next tile, down to
    // this size. 1: every shape fits.
    double piece = 16;
    // Part of a tile's fill and drain that no other tile hides. The weights of the next tile are loaded meanwhile; what is left is the
    // skew of the wave. 0: none.
    double exposed_fill = 0.08;
    // A product of two activations has no weights that could be loaded ahead: the share of a tile's load that the array waits for.
    double activation_load = 0.25;
    // 64 G elements/s at 1 GHz: 64 lanes; a row that is no multiple of them leaves lanes empty. 1: no such loss.
    double lanes = 64;
    // Of a reduction: lane cycles at the end of each row in which the lanes are summed up, of which the next row hides most. 0: none.
    double row_tail = 0.5;
    double depthwise = 1.4;  // a window of 9 taps keeps the rows of the array busy for that much longer than its arithmetic says; >= 1
    // SRAM of so many banks, each so many bytes wide: rows whose stride is a multiple of both meet in one bank.
    double banks = 32, bank_bytes = 32;
    // Share of an operator's memory accesses that go across rows, by class in the order of graph::OperatorClass: transposes all but do,
    // element-wise operators never. 0: no conflicts.
    std::array<double, graph::kOperatorClasses> across_rows = {0.06, 0.10, 0.20, 0.25, 0.0, 0.15, 0.6, 0.0, 0.1, 0.1};
    // Starting a kernel: descriptors, waiting for the last one's write-back; a few hundred cycles. An operator fused into one costs less.
    Duration issue{400'000}, fused_issue{60'000};
    // Bytes that a DMA engine moves take turns with the kernels at the SRAM's port: part of their time that a kernel waits.
    double port_share = 0.5;

    /// The planners' times as they are.
    static EffectOptions none();
};

/// What an operator of one node does to the fusion and the time of its kernel.
struct NodeEffects {
    Duration work{0};     // the planner's with the effects in it, without issue; >= the planner's
    bool joins = false;   // element-wise or a view: may run in the kernel of what makes one of its inputs
    bool view = false;    // its output is its input, seen another way
    bool issues = false;  // has anything to start
};

/// Per node. `costs` as frozen from `graph` for `platform`; where the graph has given costs or no features, only what is known counts.
[[nodiscard]] std::vector<NodeEffects> node_effects(const graph::Graph& graph, const cost::StageProblem& costs,
                                                    const platform::Platform& platform, const EffectOptions& options);

/// How much longer than planned one operator takes, >= 1, without issue.
[[nodiscard]] double slowdown(const graph::Graph& graph, OperatorId id, const platform::Platform& platform, const EffectOptions& options);

}  // namespace sluice::mcm
