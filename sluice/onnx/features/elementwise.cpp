// Element-wise operators: FLOPs an output element, after broadcasting. An operand that was broadcast sums its gradient: one more each.
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

void elementwise(const Node& node, const Rule& rule, Work& work) {
    const double elements = node.output_elements();
    work.features.flops = rule.flops * elements;
    for (std::size_t i = 0; i < node.input_count(); ++i)
        work.gradient(node, i, (rule.gradient + (node.elements(i) < elements ? 1 : 0)) * elements);
    keep(node, rule.kept, work);
}

/// Without a gradient: comparisons, rounding, bits, casts to what has none.
void forward_only(const Node& node, const Rule& rule, Work& work) { work.features.flops = rule.flops * node.output_elements(); }

/// Sum, Max, Min, Mean of any number of operands: one operation for each operand beyond the first.
void variadic(const Node& node, const Rule& rule, Work& work) {
    elementwise(node, rule, work);
    std::size_t operands = 0;
    for (std::size_t i = 0; i < node.input_count(); ++i) operands += node.input(i) != nullptr;
    work.features.flops = (static_cast<double>(operands > 0 ? operands - 1 : 0) + rule.flops) * node.output_elements();
}

/// Mul, Div: each operand is kept when another one needs a gradient; a divisor also for its own.
void multiply(const Node& node, const Rule& rule, Work& work) {
    elementwise(node, rule, work);
    if (node.differentiable(1)) work.keep_input(0);
    if (node.differentiable(0)) work.keep_input(1);
}

void divide(const Node& node, const Rule& rule, Work& work) {
    multiply(node, rule, work);
    if (node.differentiable(1)) work.keep_input(1);
}

/// The exponent is mostly a constant: squares and roots are common.
void power(const Node& node, const Rule& rule, Work& work) {
    elementwise(node, rule, work);
    work.keep_input(0);
    if (node.differentiable(1)) {
        work.keep_input(1);
        work.keep_output();
    }
}

void where(const Node& node, const Rule&, Work& work) {
    const double elements = node.output_elements();
    work.features.flops = elements;
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) work.gradient(node, i, (node.elements(i) < elements ? 2 : 1) * elements);
    work.keep_input(0);
}

/// Only the type (and shape) of the operand matters.
void reads_nothing(const Node& node, const Rule& rule, Work& work) {
    forward_only(node, rule, work);
    work.features.read = work.features.parameters_read = Bytes{};
    if (node.output(0)) work.features.compute_type = node.output(0)->type;
}

void cast_like(const Node& node, const Rule& rule, Work& work) {
    by_output_element(node, rule, work);
    const auto bytes = node.input(1) ? bytes_of(*node.input(1)) : std::nullopt;
    if (!bytes || (!node.input_name(1).empty() && node.input_name(0) == node.input_name(1))) return;
    (node.input(1)->parameter ? work.features.parameters_read : work.features.read) -= *bytes;
}

/// com.microsoft bias fusions: one addition, then the activation of the sum, which is what backward needs.
void bias_activation(const Node& node, const Rule& rule, Work& work) {
    work.features.flops = rule.flops * node.output_elements();
    work.gradient(node, 0, rule.gradient * node.output_elements());
    add_bias(node, 1, work);
    work.kept_bytes += element_bytes(node, 0) * node.output_elements();
}

/// BiasSplitGelu, and gated units: half of the sum gates the other.
void bias_split(const Node& node, const Rule& rule, Work& work) {
    work.features.flops = rule.flops * node.output_elements() + node.elements(0);
    work.gradient(node, 0, rule.gradient * node.output_elements());
    work.gradient(node, 1, node.elements(0));
    work.keep_input(0);
}

}  // namespace

std::span<const Rule> elementwise_rules() {
    using enum graph::OperatorClass;
    constexpr Kept in = Kept::inputs, out = Kept::output, mask = Kept::mask;
    constexpr auto unary = by_output_element;
    static constexpr Rule kRules[] = {
        // arithmetic
        {.type = "Add", .operator_class = elementwise, .apply = features::elementwise, .flops = 1},
        {.type = "Sub", .operator_class = elementwise, .apply = features::elementwise, .flops = 1},
        {.type = "Mul", .operator_class = elementwise, .apply = multiply, .flops = 1, .gradient = 1},
        {.type = "Div", .operator_class = elementwise, .apply = divide, .flops = kDivide, .gradient = kDivide},
        {.type = "Pow", .operator_class = elementwise, .apply = power, .flops = kPower, .gradient = kPower + 2},
        {.type = "Mod", .operator_class = elementwise, .apply = features::elementwise, .flops = kDivide + 2},
        {.type = "Sum", .operator_class = elementwise, .apply = variadic},
        {.type = "Mean", .operator_class = elementwise, .apply = variadic, .flops = 1, .gradient = 1},
        {.type = "Max", .operator_class = elementwise, .apply = variadic, .gradient = 1, .kept = in},
        {.type = "Min", .operator_class = elementwise, .apply = variadic, .gradient = 1, .kept = in},
        {.type = "Neg", .operator_class = elementwise, .apply = unary, .flops = 1, .gradient = 1},
        {.type = "Abs", .operator_class = elementwise, .apply = unary, .flops = 1, .gradient = 1, .kept = in},
        {.type = "Sqrt", .operator_class = elementwise, .apply = unary, .flops = kSquareRoot, .gradient = kDivide + 1, .kept = out},
        {.type = "Reciprocal", .operator_class = elementwise, .apply = unary, .flops = kDivide, .gradient = 3, .kept = out},
        // transcendental
        {.type = "Exp", .operator_class = elementwise, .apply = unary, .flops = kExp, .gradient = 1, .kept = out},
        {.type = "Log", .operator_class = elementwise, .apply = unary, .flops = kLog, .gradient = kDivide, .kept = in},
        {.type = "Erf", .operator_class = elementwise, .apply = unary, .flops = kErf, .gradient = kExp + 4, .kept = in},
        {.type = "Sin", .operator_class = elementwise, .apply = unary, .flops = kTrigonometric, .gradient = kTrigonometric + 1, .kept = in},
        {.type = "Cos", .operator_class = elementwise, .apply = unary, .flops = kTrigonometric, .gradient = kTrigonometric + 2, .kept = in},
        {.type = "Tan", .operator_class = elementwise, .apply = unary, .flops = 2 * kTrigonometric, .gradient = 3, .kept = out},
        {.type = "Asin",
         .operator_class = elementwise,
         .apply = unary,
         .flops = 2 * kTrigonometric,
         .gradient = kSquareRoot + kDivide + 2,
         .kept = in},
        {.type = "Acos",
         .operator_class = elementwise,
         .apply = unary,
         .flops = 2 * kTrigonometric,
         .gradient = kSquareRoot + kDivide + 3,
         .kept = in},
        {.type = "Atan", .operator_class = elementwise, .apply = unary, .flops = kTrigonometric, .gradient = kDivide + 2, .kept = in},
        {.type = "Sinh",
         .operator_class = elementwise,
         .apply = unary,
         .flops = kExp + kDivide + 2,
         .gradient = kExp + kDivide + 3,
         .kept = in},
        {.type = "Cosh",
         .operator_class = elementwise,
         .apply = unary,
         .flops = kExp + kDivide + 2,
         .gradient = kExp + kDivide + 3,
         .kept = in},
        {.type = "Tanh", .operator_class = elementwise, .apply = unary, .flops = kTanh, .gradient = 3, .kept = out},
        {.type = "Asinh",
         .operator_class = elementwise,
         .apply = unary,
         .flops = kLog + kSquareRoot + 3,
         .gradient = kSquareRoot + kDivide + 2,
         .kept = in},
        {.type = "Acosh",
         .operator_class = elementwise,
         .apply = unary,
         .flops = kLog + kSquareRoot + 3,
         .gradient = kSquareRoot + kDivide + 2,
         .kept = in},
        {.type = "Atanh", .operator_class = elementwise, .apply = unary, .flops = kLog + kDivide + 3, .gradient = kDivide + 2, .kept = in},
        // activations (the limits of Clip are no operands to differentiate)
        {.type = "Relu", .operator_class = elementwise, .apply = unary, .flops = 1, .gradient = 1, .kept = out},
        {.type = "LeakyRelu", .operator_class = elementwise, .apply = unary, .flops = 2, .gradient = 2, .kept = in},
        {.type = "ThresholdedRelu", .operator_class = elementwise, .apply = unary, .flops = 1, .gradient = 1, .kept = out},
        {.type = "PRelu", .operator_class = elementwise, .apply = features::elementwise, .flops = 2, .gradient = 2, .kept = in},
        {.type = "Elu", .operator_class = elementwise, .apply = unary, .flops = kExp + 3, .gradient = 3, .kept = out},
        {.type = "Selu", .operator_class = elementwise, .apply = unary, .flops = kExp + 4, .gradient = 3, .kept = out},
        {.type = "Celu", .operator_class = elementwise, .apply = unary, .flops = kExp + 5, .gradient = 4, .kept = out},
        {.type = "Sigmoid", .operator_class = elementwise, .apply = unary, .flops = kSigmoid, .gradient = 3, .kept = out},
        {.type = "HardSigmoid", .operator_class = elementwise, .apply = unary, .flops = 4, .gradient = 2, .kept = in},
        {.type = "HardSwish", .operator_class = elementwise, .apply = unary, .flops = 5, .gradient = 4, .kept = in},
        {.type = "Swish", .operator_class = elementwise, .apply = unary, .flops = kSigmoid + 1, .gradient = kSigmoid + 4, .kept = in},
        {.type = "Softplus", .operator_class = elementwise, .apply = unary, .flops = kExp + kLog + 1, .gradient = kSigmoid + 1, .kept = in},
        {.type = "Softsign", .operator_class = elementwise, .apply = unary, .flops = kDivide + 2, .gradient = kDivide + 3, .kept = in},
        {.type = "Mish",
         .operator_class = elementwise,
         .apply = unary,
         .flops = kExp + kLog + 1 + kTanh + 1,
         .gradient = kExp + kLog + kTanh + kSigmoid + 6,
         .kept = in},
        {.type = "Gelu", .operator_class = elementwise, .apply = unary, .flops = kErf + 4, .gradient = kErf + kExp + 7, .kept = in},
        {.type = "Shrink", .operator_class = elementwise, .apply = unary, .flops = 3, .gradient = 1, .kept = in},
        {.type = "Clip", .operator_class = elementwise, .apply = unary, .flops = 2, .gradient = 2, .kept = Kept::condition},
        {.type = "Dropout", .operator_class = elementwise, .apply = unary, .flops = 2, .gradient = 2, .kept = mask},
        // comparison, logic, bits, rounding
        {.type = "Where", .operator_class = elementwise, .apply = where},
        {.type = "Equal", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "Greater", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "GreaterOrEqual", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "Less", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "LessOrEqual", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "And", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "Or", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "Xor", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "Not", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "BitShift", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "BitwiseAnd", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "BitwiseOr", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "BitwiseXor", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "BitwiseNot", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "IsInf", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "IsNaN", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "Sign", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "Ceil", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "Floor", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        {.type = "Round", .operator_class = elementwise, .apply = forward_only, .flops = 1},
        // types
        {.type = "Cast", .operator_class = elementwise, .apply = unary, .flops = 1, .gradient = 1},
        {.type = "CastLike", .operator_class = elementwise, .apply = cast_like, .flops = 1, .gradient = 1},
        // made from nothing
        {.type = "RandomNormal", .operator_class = elementwise, .apply = reads_nothing, .flops = 10 + kTrigonometric + kLog + kSquareRoot},
        {.type = "RandomNormalLike",
         .operator_class = elementwise,
         .apply = reads_nothing,
         .flops = 10 + kTrigonometric + kLog + kSquareRoot},
        {.type = "RandomUniform", .operator_class = elementwise, .apply = reads_nothing, .flops = 10},
        {.type = "RandomUniformLike", .operator_class = elementwise, .apply = reads_nothing, .flops = 10},
        {.type = "Bernoulli", .operator_class = elementwise, .apply = forward_only, .flops = 11},
        // text: no arithmetic, bytes alone
        {.type = "StringConcat", .operator_class = elementwise},
        {.type = "StringNormalizer", .operator_class = elementwise},
        {.type = "StringSplit", .operator_class = elementwise},
        {.type = "RegexFullMatch", .operator_class = elementwise},
        // com.microsoft fusions
        {.type = "FastGelu",
         .operator_class = elementwise,
         .apply = bias_activation,
         .flops = kTanh + 6,
         .gradient = kTanh + 12,
         .domain = kMicrosoft},
        {.type = "BiasGelu",
         .operator_class = elementwise,
         .apply = bias_activation,
         .flops = kErf + 4,
         .gradient = kErf + kExp + 7,
         .domain = kMicrosoft},
        {.type = "QuickGelu",
         .operator_class = elementwise,
         .apply = unary,
         .flops = kSigmoid + 2,
         .gradient = kSigmoid + 5,
         .kept = in,
         .domain = kMicrosoft},
        {.type = "BiasSplitGelu",
         .operator_class = elementwise,
         .apply = bias_split,
         .flops = kErf + 5,
         .gradient = kErf + kExp + 9,
         .domain = kMicrosoft},
        {.type = "BiasAdd", .operator_class = elementwise, .apply = features::elementwise, .flops = 2, .domain = kMicrosoft},
        {.type = "BiasSoftmax",
         .operator_class = reduction,
         .apply = unary,
         .flops = kSoftmax + 1,
         .gradient = kSoftmaxGradient,
         .kept = out,
         .domain = kMicrosoft},
        {.type = "BiasDropout",
         .operator_class = elementwise,
         .apply = unary,
         .flops = 3,
         .gradient = 2,
         .kept = mask,
         .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
