// Pooling: one FLOP for each element of a window (a comparison or an addition, the division folded into the last).
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

double window(const Node& node) {
    double product = 1;
    for (const std::int64_t size : node.integers("kernel_shape")) product *= static_cast<double>(size);
    return product;
}

/// What autograd keeps of a maximum is where it was: one int64 an output element. An average needs sizes only.
void max_pool(const Node& node, const Rule&, Work& work) {
    work.features.flops = node.output_elements() * window(node);
    work.gradient(node, 0, node.output_elements());
    work.kept_bytes += 8 * node.output_elements();
}

void average_pool(const Node& node, const Rule&, Work& work) {
    work.features.flops = node.output_elements() * window(node);
    work.gradient(node, 0, work.features.flops);
}

double power_cost(const Node& node) {
    const std::int64_t p = node.integer("p", 2);
    return p == 1 ? 1 : p == 2 ? 2 : kPower + 1;
}

void norm_pool(const Node& node, const Rule&, Work& work) {
    const double root = node.integer("p", 2) == 1 ? 0 : node.integer("p", 2) == 2 ? kSquareRoot : kPower;
    work.features.flops = node.output_elements() * (window(node) * power_cost(node) + root);
    work.gradient(node, 0, node.output_elements() * window(node) * power_cost(node));
    keep(node, Kept::inputs_and_output, work);
}

void global_max(const Node& node, const Rule&, Work& work) {
    work.features.flops = node.elements(0);
    work.gradient(node, 0, node.output_elements());
    work.kept_bytes += 8 * node.output_elements();
}

void global_norm(const Node& node, const Rule&, Work& work) {
    work.features.flops = node.elements(0) * power_cost(node);
    work.gradient(node, 0, node.elements(0) * power_cost(node));
    keep(node, Kept::inputs_and_output, work);
}

void unpool(const Node&, const Rule&, Work& work) { work.keep_input(1); }

/// Each region of interest reads only its own part of the map: at most all of it.
void read_samples(const Node& node, double samples, Work& work) {
    const TensorFacts* map = node.input(0);
    if (!map || map->parameter) return;
    const auto whole = bytes_of(*map), one = graph::bytes_of(map->type, 1);
    if (!whole || !one) return;
    const double touched = samples * static_cast<double>(one->count);
    if (touched < static_cast<double>(whole->count)) work.features.read += Bytes{static_cast<std::int64_t>(touched)} - *whole;
}

/// `sampling_ratio` squared bilinear samples an output element, 8 FLOPs each and one to combine; 0 adapts to the region: 2 is taken.
void roi_align(const Node& node, const Rule&, Work& work) {
    const auto ratio = static_cast<double>(node.integer("sampling_ratio", 0));
    const double samples = node.output_elements() * (ratio > 0 ? ratio * ratio : 4);
    work.features.flops = 9 * samples;
    work.gradient(node, 0, 8 * samples);
    work.keep_input(1);
    work.keep_input(2);
    read_samples(node, 4 * samples, work);
}

/// Regions divide the map among the outputs; each element of the region is compared once. Regions are not known: the whole map for each.
void max_roi_pool(const Node& node, const Rule&, Work& work) {
    work.features.flops = node.dimension(1, 0) * node.dimension(0, 1) * node.dimension(0, 2) * node.dimension(0, 3);
    work.gradient(node, 0, node.output_elements());
    work.kept_bytes += 8 * node.output_elements();
}

}  // namespace

std::span<const Rule> pooling_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "MaxPool", .operator_class = reduction, .apply = max_pool},
        {.type = "AveragePool", .operator_class = reduction, .apply = average_pool},
        {.type = "LpPool", .operator_class = reduction, .apply = norm_pool},
        {.type = "GlobalMaxPool", .operator_class = reduction, .apply = global_max},
        {.type = "GlobalAveragePool", .operator_class = reduction, .apply = by_input_element, .flops = 1, .gradient = 1},
        {.type = "GlobalLpPool", .operator_class = reduction, .apply = global_norm},
        {.type = "MaxUnpool", .operator_class = movement, .apply = unpool},
        {.type = "RoiAlign", .operator_class = reduction, .apply = roi_align},
        {.type = "MaxRoiPool", .operator_class = reduction, .apply = max_roi_pool},
        {.type = "NhwcMaxPool", .operator_class = reduction, .apply = max_pool, .domain = kMicrosoft},
        {.type = "MaxpoolWithMask", .operator_class = reduction, .apply = max_pool, .domain = kMicrosoft},
        {.type = "QLinearAveragePool", .operator_class = reduction, .apply = average_pool, .domain = kMicrosoft},
        {.type = "QLinearGlobalAveragePool", .operator_class = reduction, .apply = by_input_element, .flops = 1, .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
