// From kernels of ONNX Runtime's optimised graph to operators of ours, by the names of the tensors they make (notes: a kernel's name is
// rarely an operator's). Kernels and operators become entries of `cost::MeasuredCosts`: operators whose kernels cannot be told apart share
// one.
//  1. A kernel is anchored at the operators that make its outputs. Where all its outputs have new names (blocked layouts): at the one that
//     makes "x" when it is called "x_nchwc", else at the one of its own name and type, else at the only one of its type that reads what it
//     reads (a last Identity gave its name to the kernel before it): when no kernel makes that operator's outputs.
//  2. Any other kernel (a layout change, a new Cast) belongs to the first kernel that reads what it makes, else to the one that makes what
//  it
//     reads, else to the one that ran before it.
//  3. An operator whose outputs no kernel makes was fused or eliminated. A kernel with new names has those between its anchor and the
//     operator of its own type ("Conv"), and after that whoever alone reads what it makes and else only what the kernel reads (a residual
//     addition, an activation). Any other joins its first consumer's group; without consumers, its first producer's.
// So every kernel's time has a place. Only that of kernels anchored at operators which every stage makes again for free has no operator to
// stand on: the scale spreads it over all. O(kernels + operators + their tensors). Deterministic.
#pragma once

#include <vector>

#include "sluice/cost/measured.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/runtime/profile.hpp"

namespace sluice::runtime {

struct KernelGroup {
    std::vector<OperatorId> operators;  // ascending, free ones left out
    std::vector<std::size_t> kernels;   // of the profile, in the order of execution
    double min_us = 0, median_us = 0;   // sums over the kernels
};

struct MappedKernels {
    std::vector<KernelGroup> groups;  // by their smallest operator
    double kernels_us = 0;            // all minima
    double free_us = 0;               // of them, of free operators
    double whole_us = 0;              // one run: the least wall time; with one thread the CPU time when that is less (the core was shared)
    double scale = 1;                 // whole_us over the groups' minima: what a kernel's time is multiplied by, overhead included
};

/// Diagnostics: no kernel makes a tensor of this model; no time at all.
[[nodiscard]] Result<MappedKernels> map_kernels(const graph::Graph& graph, const RawProfile& profile);

/// Entries by operator names, scaled; `machine` from the profile.
[[nodiscard]] cost::MeasuredCosts to_costs(const graph::Graph& graph, const RawProfile& profile, const MappedKernels& mapped);

/// Share of the groups' time whose runs spread by more than `spread` (median over minimum, less 1), and by more than a microsecond a
/// kernel: the profiler counts whole ones.
[[nodiscard]] double share_above(const MappedKernels& mapped, double spread);

}  // namespace sluice::runtime
