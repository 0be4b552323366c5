// After the search: from an assignment to a graph on which it is legal by the paper's own rules, and nothing is made twice on one chip.
//   merge     copies of one operator on one chip become one (all have the same value, so any order of merging is right); copies that nobody
//             reads any more go. A chip that this empties is closed.
//   relay     where the problem has rule relay: every tensor made on chip a and last read on chip c > a + 1 gets an Identity on each chip
//             between, and a reader on chip d reads the one on d - 1.
// With nothing merged, chip_times without rule relay on the result are those with it before; merging raises none. (But for links to the
// host: what goes to the host and to other nodes is charged at the slower of two links, and merging moves readers.)
//   recompute where relays are, and by cost (options): an operator is made again on a reader's chip instead of its output being passed on,
//             where its inputs come by or can be sent. Only steps that raise no bottleneck, with less work and transfers in total; none at
//             all where a chip's memory (judge/fitting_judge.hpp) would be too small for what they leave there.
// O(rounds x operators + chips x tensors). Deterministic.
#pragma once

#include <memory>
#include <span>

#include "sluice/graph/rewrite.hpp"
#include "sluice/mcm/chip_problem.hpp"

namespace sluice::mcm {

struct FinishOptions {
    bool recompute = true;
};

struct Finished {
    graph::Graph graph;  // the model's, rewritten; itself where nothing had to be
    std::unique_ptr<const cost::FrozenProblem> frozen;
    ChipProblem problem;  // on `frozen`, rule relay off and adjacent as it was; no nogoods
    Assignment chips;     // legal there, if it was before
    // Operators beside the model's; steps in which a copy took readers over from relays; copies that went.
    std::size_t copies = 0, relays = 0, recomputed = 0, merged = 0;
};

/// `model`: not rewritten. `planned`: the same, or rewritten from it (shared_clones). `problem`: on what was frozen from `planned` for
/// `platform` with `measured`. `assignment`: of `problem`, acyclic. Diagnostics: freezing's.
[[nodiscard]] Result<Finished> finish(const graph::Graph& model, const graph::Graph& planned, const ChipProblem& problem,
                                      std::span<const std::uint8_t> assignment, const platform::Platform& platform,
                                      const cost::MeasuredCosts* measured = nullptr, const FinishOptions& options = {});

}  // namespace sluice::mcm
