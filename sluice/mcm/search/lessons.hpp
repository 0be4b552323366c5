// What failures to compile teach whoever slices orders. A nogood forbids one set of operators on one chip; but layers repeat, and what is
// too much in one is too much in the next. So where a chip failed whose parameters come near what is allowed, less is allowed from then on:
// what activations, buffers and holes need beside them is left free. Where nothing can be sliced any more within that, it is given up and
// the nogoods remain. O(nodes of the chip + their weights) a failure. Deterministic.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/mcm/judge/judge.hpp"
#include "sluice/mcm/search/order_dp.hpp"
#include "sluice/mcm/search/trials.hpp"

namespace sluice::mcm {

class Lessons {
public:
    /// `problem` outlives this.
    explicit Lessons(const ChipProblem& problem) : problem_(&problem) {}

    /// False: the failure does not say which operators it was, so there is nothing to learn.
    bool learn(const CompileFailure& failure);
    /// slice_order with all of it. `problem`: as the constructor's, with costs of its own where a learner corrects them.
    [[nodiscard]] std::optional<Assignment> slice(const ChipProblem& problem, std::span<const NodeId> order, OrderSliceOptions options);

private:
    const ChipProblem* problem_;
    std::vector<std::vector<NodeId>> nogoods_;
    Bytes reserve_;  // of a chip's SRAM
    bool reserving_ = true;
};

/// Judges slicings of the order until one compiles. nullopt: none does, or it is over.
std::optional<Assignment> judge_slicings(const ChipProblem& problem, std::span<const NodeId> order, std::string_view source,
                                         Lessons& lessons, Trials& trials, const Limits& limits);

}  // namespace sluice::mcm
