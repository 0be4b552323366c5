#include "sluice/inference/order_maker.hpp"

#include <cassert>

namespace sluice::inference {

std::string_view to_text(OrderKind kind) {
    switch (kind) {
        case OrderKind::heavy_cone:
            return "heavy-cone";
        case OrderKind::heavy_cone_mirrored:
            return "heavy-cone mirrored";
        case OrderKind::depth_first:
            return "depth-first";
        case OrderKind::greedy_frontier:
            return "greedy-frontier";
        case OrderKind::random:
            return "random";
        case OrderKind::model:
            return "model-order";
    }
    return "";
}

Order OrderMaker::make(OrderKind kind, RandomStream* random) const {
    switch (kind) {
        case OrderKind::heavy_cone:
            return heavy_cone(ConeDirection::from_sinks, random);
        case OrderKind::heavy_cone_mirrored:
            return heavy_cone(ConeDirection::from_sources, random);
        case OrderKind::depth_first:
            return depth_first_order(*problem_, random);
        case OrderKind::greedy_frontier:
            return greedy_frontier_order(*problem_, random);
        case OrderKind::random:
            assert(random);
            return random_order(*problem_, *random);
        case OrderKind::model:
            break;
    }
    return model_order(*problem_);
}

Order OrderMaker::heavy_cone(ConeDirection direction, RandomStream* random) const {
    const auto d = static_cast<std::size_t>(direction);
    std::call_once(once_[d], [&] { cones_[d] = cone_work(*problem_, direction); });
    return heavy_cone_order(*problem_, direction, cones_[d], random);
}

}  // namespace sluice::inference
