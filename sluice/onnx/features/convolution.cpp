// Convolutions. The weights [out, in / group, kernel…] (transposed: [in, out / group, kernel…]) say how many multiply-adds one element
// takes.
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

/// Product of all but the first dimension of the weights.
double per_element(const Node& node, std::size_t weights) {
    const double outer = node.dimension(weights, 0);
    return outer > 0 ? node.elements(weights) / outer : 0;
}

double positions(std::span<const std::int64_t> shape, bool channels_last) {
    if (shape.size() < 2) return 0;
    double product = 1;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (axis != (channels_last ? shape.size() - 1 : 1)) product *= static_cast<double>(shape[axis]);
    }
    return product;
}

void classify(const Node& node, Work& work, std::size_t weights, bool channels_last = false) {
    if (node.integer("group", 1) > 1 && node.dimension(weights, channels_last ? -1 : 1) == 1)
        work.features.operator_class = graph::OperatorClass::depthwise;
}

void convolve(const Node& node, Work& work, std::size_t weights, bool channels_last = false) {
    classify(node, work, weights, channels_last);
    work.product(node, 2 * node.output_elements() * per_element(node, weights), positions(node.output_shape(0), channels_last), 0, weights);
}

void conv(const Node& node, const Rule&, Work& work) {
    convolve(node, work, 1);
    add_bias(node, 2, work);
}

/// com.microsoft.FusedConv: a tensor to add and an activation after it.
void fused_conv(const Node& node, const Rule& rule, Work& work) {
    conv(node, rule, work);
    add_bias(node, 3, work);
    if (!node.text("activation", "").empty()) {
        work.features.flops += node.output_elements();
        work.features.input_gradient_flops += node.output_elements();
        work.keep_output();
    }
}

void nhwc_fused_conv(const Node& node, const Rule&, Work& work) {
    convolve(node, work, 1, true);
    add_bias(node, 2, work);
    add_bias(node, 3, work);
}

void conv_transpose(const Node& node, const Rule&, Work& work) {
    classify(node, work, 1);
    work.product(node, 2 * node.elements(0) * per_element(node, 1), positions(node.shape(0), false), 0, 1);
    add_bias(node, 2, work);
}

void integer_conv(const Node& node, const Rule&, Work& work) {
    convolve(node, work, 1);
    work.features.compute_type = graph::DataType::i8;
}

/// QLinearConv: x, its scale and zero point, then the weights; bias last.
void quantised_conv(const Node& node, const Rule&, Work& work) {
    convolve(node, work, 3, node.integer("channels_last", 0) != 0);
    add_bias(node, 8, work);
    work.features.compute_type = graph::DataType::i8;
}

/// Every tap is read between four points (eight FLOPs and one for the mask) before it is multiplied.
void deformable(const Node& node, const Rule&, Work& work) {
    convolve(node, work, 1);
    add_bias(node, 3, work);
    const double kernel =
        node.dimension(1, 0) > 0 && node.dimension(1, 1) > 0 ? node.elements(1) / (node.dimension(1, 0) * node.dimension(1, 1)) : 0;
    const double taps = positions(node.output_shape(0), false) * node.dimension(0, 1) * kernel;
    const double each = node.input(4) ? 9 : 8;
    work.features.flops += each * taps;
    work.gradient(node, 0, each * taps);
    work.gradient(node, 2, each * taps);
    work.gradient(node, 4, taps);
    work.keep_input(2);
    work.keep_input(4);
}

}  // namespace

std::span<const Rule> convolution_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "Conv", .operator_class = convolution, .apply = conv},
        {.type = "ConvTranspose", .operator_class = convolution, .apply = conv_transpose},
        {.type = "ConvInteger", .operator_class = convolution, .apply = integer_conv},
        {.type = "QLinearConv", .operator_class = convolution, .apply = quantised_conv},
        {.type = "DeformConv", .operator_class = convolution, .apply = deformable},
        {.type = "FusedConv", .operator_class = convolution, .apply = fused_conv, .domain = kMicrosoft},
        {.type = "NhwcConv", .operator_class = convolution, .apply = nhwc_fused_conv, .domain = kMicrosoft},
        {.type = "NhwcFusedConv", .operator_class = convolution, .apply = nhwc_fused_conv, .domain = kMicrosoft},
        {.type = "ConvTransposeWithDynamicPads", .operator_class = convolution, .apply = conv_transpose, .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
