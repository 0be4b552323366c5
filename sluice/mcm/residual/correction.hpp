// The planners' cost, corrected, and the plan that is best under it: the decoder of everything that learns the cost model's error.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sluice/mcm/search/lessons.hpp"

namespace sluice::mcm {

/// A node takes (work + grain) · exp(log_work), grain a hundredth of the mean work, so that what planners think free can cost something; a
/// tensor takes transfer · exp(log_link) + message.
struct Correction {
    std::vector<double> log_work;  // per node; held to ±kMostLog
    double log_link = 0;           // held to ±kMostLog
    double message = 0;            // picoseconds a tensor, at least 0
};
inline constexpr double kMostLog = 3;

/// Transfers of a chip as the planners count them, relays included, and of how many tensors.
struct ChipTransfers {
    double in = 0, out = 0;
    double tensors_in = 0, tensors_out = 0;
};
[[nodiscard]] std::vector<ChipTransfers> chip_transfers(const ChipProblem& problem, std::span<const std::uint8_t> chips);
/// A hundredth of the mean work.
[[nodiscard]] double grain_of(const ChipProblem& problem);
/// From work and transfers as corrected: the stage time (design §3.1) without spill, in picoseconds.
[[nodiscard]] double corrected_time(cost::StageModel model, double work, const ChipTransfers& transfers, const Correction& correction);

class Replanner {
public:
    /// `problem` outlives this.
    explicit Replanner(const ChipProblem& problem);

    struct Plan {
        Assignment chips;
        OrderKind order = OrderKind::depth_first;
    };
    /// The best of the orders' slicings under the correction. nullopt: none is legal. O(orders · slicing).
    [[nodiscard]] std::optional<Plan> plan(const Correction& correction, Lessons& lessons, const Limits& limits);

    [[nodiscard]] std::span<const NodeId> order(OrderKind kind) const { return orders_[static_cast<std::size_t>(kind)]; }

private:
    cost::StageProblem costs_;  // the corrected ones
    ChipProblem problem_;       // on those
    const ChipProblem& original_;
    std::vector<std::vector<NodeId>> orders_;
    double grain_ = 0;
};

}  // namespace sluice::mcm
