// Quantised forms that are not matrix products or convolutions: no backward pass, arithmetic in the integers' type.
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

/// Scale, round, clamp.
void quantise(const Node& node, const Rule& rule, Work& work) { work.features.flops = rule.flops * node.elements(0); }

/// Operands dequantised, the operation done, the result quantised again.
void requantised(const Node& node, const Rule& rule, Work& work) {
    work.features.flops = rule.flops * node.output_elements();
    work.features.compute_type = graph::DataType::i8;
}

}  // namespace

std::span<const Rule> quantised_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "QuantizeLinear", .operator_class = elementwise, .apply = quantise, .flops = 4},
        {.type = "DequantizeLinear", .operator_class = elementwise, .apply = quantise, .flops = 2},
        {.type = "DynamicQuantizeLinear", .operator_class = elementwise, .apply = quantise, .flops = 6},
        {.type = "QLinearAdd", .operator_class = elementwise, .apply = requantised, .flops = 8, .domain = kMicrosoft},
        {.type = "QLinearMul", .operator_class = elementwise, .apply = requantised, .flops = 8, .domain = kMicrosoft},
        {.type = "QLinearWhere", .operator_class = elementwise, .apply = requantised, .flops = 7, .domain = kMicrosoft},
        {.type = "QLinearSigmoid",
         .operator_class = elementwise,
         .apply = requantised,
         .flops = 1,
         .domain = kMicrosoft},  // a table of 256
        {.type = "QLinearLeakyRelu", .operator_class = elementwise, .apply = requantised, .flops = 1, .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
