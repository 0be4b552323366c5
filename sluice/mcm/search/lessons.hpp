// What failures to compile teach whoever slices orders. A nogood forbids one set of operators on one chip; but layers repeat, and what is
// too much in one is too much in the next. What planners do not count beside parameters, buffers and activations, goes with what is alive
// at a chip's borders and between them; so where a chip failed, the least multiple of that which explains it is kept free everywhere from
// then on. Where nothing can be sliced any more within that, less is; nogoods remain. O(n + m) a failure. Deterministic.
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

    /// `chips`: slices of `order`, of which the judge said `failure`. False: there is nothing to learn from it.
    bool learn(const CompileFailure& failure, std::span<const NodeId> order, std::span<const std::uint8_t> chips);
    /// slice_order with all of it. `problem`: as the constructor's, with costs of its own where a learner corrects them.
    [[nodiscard]] std::optional<Assignment> slice_within(const ChipProblem& problem, std::span<const NodeId> order,
                                                         OrderSliceOptions options) const;
    /// The same; where there is nothing else less is kept free, from now on.
    [[nodiscard]] std::optional<Assignment> slice(const ChipProblem& problem, std::span<const NodeId> order,
                                                  const OrderSliceOptions& options);

private:
    const ChipProblem* problem_;
    std::vector<std::vector<NodeId>> nogoods_;
    std::int64_t live_share_ = 0;  // as OrderSliceOptions has it
};

/// Judges slicings of the order until one compiles. nullopt: none does, or it is over.
std::optional<Assignment> judge_slicings(const ChipProblem& problem, std::span<const NodeId> order, std::string_view source,
                                         Lessons& lessons, Trials& trials, const Limits& limits);

}  // namespace sluice::mcm
