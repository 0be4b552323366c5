// Resampling: a multiply-add for each point that an output element is made of; nearest neighbours are movement.
#include <cmath>

#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

/// Points an output element is made of: 2^axes (linear), 4^axes (cubic) over the axes resampled.
double taps(std::string_view mode, double axes) {
    return mode.contains("cubic") ? std::pow(4, axes) : mode.contains("linear") ? std::pow(2, axes) : 0;
}

void resize(const Node& node, const Rule&, Work& work) {
    double axes = 0;
    for (std::size_t axis = 0; axis < node.rank(0); ++axis)
        axes += node.dimension(0, static_cast<std::int64_t>(axis)) != node.output_dimension(0, static_cast<std::int64_t>(axis));
    const double points = taps(node.text("mode", "nearest"), axes);
    if (points == 0) {  // nearest; its gradient still sums where one point was used for several
        if (node.output_elements() > node.elements(0)) work.gradient(node, 0, node.output_elements());
        return;
    }
    work.features.operator_class = graph::OperatorClass::elementwise;
    work.features.flops = 2 * points * node.output_elements();
    work.gradient(node, 0, 2 * points * node.output_elements());
}

/// Input [N, C, …], grid [N, …, axes]: coordinates once a position (4 FLOPs an axis), points for each channel.
void grid_sample(const Node& node, const Rule&, Work& work) {
    const double axes = node.dimension(1, -1);
    const auto mode = node.text("mode", "linear");
    const double points = mode.contains("nearest") ? 0 : taps(mode, axes);
    work.features.flops = 2 * points * node.output_elements() + 4 * node.elements(1);
    work.gradient(node, 0, (points > 0 ? 2 * points : 1) * node.output_elements());
    if (points > 0) work.gradient(node, 1, 2 * points * node.output_elements());
    keep(node, Kept::inputs, work);
}

/// θ [N, axes, axes + 1] times the grid's homogeneous coordinates, which are made from the size alone and not kept.
void affine_grid(const Node& node, const Rule&, Work& work) {
    const double inner = node.dimension(0, 2);
    const double coordinates = node.output_dimension(0, -1);
    work.forward_product(2 * node.output_elements() * inner, coordinates > 0 ? node.output_elements() / coordinates : 0);
    work.gradient(node, 0, 2 * node.output_elements() * inner);
}

}  // namespace

std::span<const Rule> resample_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "Resize", .operator_class = movement, .apply = resize},
        {.type = "Upsample", .operator_class = movement, .apply = resize},
        {.type = "GridSample", .operator_class = elementwise, .apply = grid_sample},
        {.type = "AffineGrid", .operator_class = matrix, .apply = affine_grid},
        {.type = "Col2Im", .operator_class = movement, .apply = by_input_element, .flops = 1},  // overlaps are added
    };
    return kRules;
}

}  // namespace sluice::onnx::features
