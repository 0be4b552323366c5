// Fourier transforms by the usual count of 5 n log2 n for a complex transform of n points, half for a real one; windows and filter banks.
#include <cmath>

#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

double transform(double points, bool real) { return points > 1 ? (real ? 2.5 : 5) * points * std::log2(points) : 0; }

/// Input [batch, …, 1 or 2]; the axis was an attribute before opset 20. The length is the signal's or, when one is given, the output's.
void dft(const Node& node, const Rule&, Work& work) {
    const std::int64_t axis = node.constant(2).value_or(node.integer("axis", node.facts().opset < 20 ? 1 : -2));
    const bool real = node.dimension(0, -1) == 1 || node.output_dimension(0, -1) == 1;
    const auto length = node.constant(1);
    const double points = length ? static_cast<double>(*length) : node.dimension(0, axis);
    const double complex_elements = node.elements(0) / std::max(1.0, node.dimension(0, -1));
    const double transforms = node.dimension(0, axis) > 0 ? complex_elements / node.dimension(0, axis) : 0;
    work.features.flops = transforms * transform(points, real);
    work.gradient(node, 0, work.features.flops);
}

/// Signal [batch, length, 1 or 2] -> [batch, frames, bins, 2]: a window product and a transform a frame.
void short_time(const Node& node, const Rule&, Work& work) {
    const bool real = node.dimension(0, -1) == 1 || node.rank(0) == 2;
    const bool one_sided = node.integer("onesided", 1) != 0 && real;
    const double bins = node.output_dimension(0, 2);
    const double points = node.constant(3) ? static_cast<double>(*node.constant(3))
                          : node.input(2)  ? node.dimension(2, 0)
                          : one_sided      ? 2 * (bins - 1)
                                           : bins;
    const double frames = node.output_dimension(0, 0) * node.output_dimension(0, 1);
    work.features.flops = frames * (transform(points, real) + (node.input(2) ? points : 0));
    work.gradient(node, 0, work.features.flops + frames * points);  // overlapping frames are added
    work.keep_input(2);
}

void mel_weights(const Node& node, const Rule& rule, Work& work) { work.features.flops = rule.flops * node.output_elements(); }

}  // namespace

std::span<const Rule> signal_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "DFT", .operator_class = reduction, .apply = dft},
        {.type = "STFT", .operator_class = reduction, .apply = short_time},
        {.type = "HannWindow", .operator_class = elementwise, .apply = mel_weights, .flops = kTrigonometric + 3},
        {.type = "HammingWindow", .operator_class = elementwise, .apply = mel_weights, .flops = kTrigonometric + 3},
        {.type = "BlackmanWindow", .operator_class = elementwise, .apply = mel_weights, .flops = 2 * kTrigonometric + 5},
        {.type = "MelWeightMatrix", .operator_class = elementwise, .apply = mel_weights, .flops = 4},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
