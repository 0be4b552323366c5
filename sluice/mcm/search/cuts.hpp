// Slices of an order put on chips 0, 1, …: what simple methods start from. The triangle is not heeded, Repair makes
// them legal; nor is memory, but by the even cuts. O(nodes); where parameters decide, a slicing (order_dp.hpp). Deterministic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/mcm/chip_problem.hpp"

namespace sluice::mcm {

enum class Share { operators, work };

/// The nodes' own order and those that fit chains and branchy graphs: the candidates of methods that cut an order once.
[[nodiscard]] std::vector<std::vector<NodeId>> known_orders(const cost::StageProblem& costs);

/// The problem with nothing but the shares: slicings of it are as even as memory and the rules let them be.
class EvenProblem {
public:
    EvenProblem(const ChipProblem& problem, Share share);
    EvenProblem(const EvenProblem&) = delete;
    EvenProblem& operator=(const EvenProblem&) = delete;
    [[nodiscard]] const ChipProblem& problem() const { return problem_; }

private:
    cost::StageProblem costs_;
    ChipProblem problem_;
};

/// Cuts `order`, topological, into equal shares: a node goes where the middle of its share lies. Chips without a node are closed up. Where
/// that puts more parameters on a chip than it holds: the evenest slicing that does not, if there is one.
[[nodiscard]] Assignment cut_evenly(const ChipProblem& problem, std::span<const NodeId> order, Share share);
/// At places drawn evenly.
[[nodiscard]] Assignment cut_anywhere(const ChipProblem& problem, std::span<const NodeId> order, RandomStream& random);
/// Slice d of the order, [cuts[d - 1], cuts[d]), to chip d; `cuts` ascending, one fewer than chips. Empty slices are closed up.
[[nodiscard]] Assignment cut_at(std::span<const NodeId> order, std::span<const std::size_t> cuts);

/// Per node, in chips: where the middle of its work lies in `order`, topological, in (0, chips); chips are those of cut_evenly.
[[nodiscard]] std::vector<double> work_positions(const ChipProblem& problem, std::span<const NodeId> order);

}  // namespace sluice::mcm
