// Private to this layer. Orders of every kind for one problem; cones are weighed once, when the first order needs them.
#pragma once

#include <array>
#include <mutex>
#include <string_view>

#include "sluice/inference/orders.hpp"

namespace sluice::inference {

enum class OrderKind { heavy_cone, heavy_cone_mirrored, depth_first, greedy_frontier, random, model };
[[nodiscard]] std::string_view to_text(OrderKind kind);

/// The kinds to begin with, as they are, and those to draw from, perturbed.
inline constexpr std::array kEveryOrder{OrderKind::heavy_cone, OrderKind::heavy_cone_mirrored, OrderKind::depth_first,
                                        OrderKind::greedy_frontier, OrderKind::model};
inline constexpr std::array kPerturbedOrders{OrderKind::heavy_cone, OrderKind::heavy_cone_mirrored, OrderKind::greedy_frontier,
                                             OrderKind::depth_first, OrderKind::random};

class OrderMaker {
public:
    /// The problem must outlive this.
    explicit OrderMaker(const cost::StageProblem& problem) : problem_(&problem) {}
    /// With a stream, perturbed; `random` needs one, `model` has no use for it. Safe to call from several threads.
    [[nodiscard]] Order make(OrderKind kind, RandomStream* random) const;

private:
    [[nodiscard]] Order heavy_cone(ConeDirection direction, RandomStream* random) const;

    const cost::StageProblem* problem_;
    mutable std::array<std::once_flag, 2> once_;
    mutable std::array<std::vector<Duration>, 2> cones_;
};

}  // namespace sluice::inference
