// Normalisation and softmax. Kept: the input and two statistics a group (softmax: its output).
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

double product(std::span<const std::int64_t> shape, std::size_t from, std::size_t to) {
    double value = 1;
    for (std::size_t axis = from; axis < to && axis < shape.size(); ++axis) value *= static_cast<double>(shape[axis]);
    return value;
}

/// Groups that share statistics when everything from `axis` on is normalised.
double outer(const Node& node, std::int64_t otherwise) {
    const auto rank = static_cast<std::int64_t>(node.rank(0));
    std::int64_t axis = node.integer("axis", otherwise);
    if (axis < 0) axis += rank;
    return axis < 0 ? 0 : product(node.shape(0), 0, static_cast<std::size_t>(axis));
}

struct Norm {
    double forward = kNormalise;
    double statistics = 2;  // a group
    double groups = 0;
    std::size_t scale = 1, shift = 2;
};

void normalise(const Node& node, Work& work, const Norm& norm) {
    const double elements = node.elements(0);
    work.features.flops = norm.forward * elements;
    work.gradient(node, 0, kNormaliseGradient * elements);
    work.gradient(node, norm.scale, kNormaliseWeightGradient * elements);
    work.gradient(node, norm.shift, elements);
    work.keep_input(0);
    work.kept_elements_f32 += norm.statistics * norm.groups;
}

/// Inference folds the stored statistics into one multiply-add an element; training makes them anew.
void batch_normalisation(const Node& node, const Rule&, Work& work) {
    const bool training = node.integer("training_mode", 0) != 0 || (node.facts().opset < 14 && node.output_count() > 1 && node.output(1));
    normalise(node, work, {.forward = training ? kNormalise : 2, .groups = node.dimension(0, 1)});
}

void layer_normalisation(const Node& node, const Rule&, Work& work) { normalise(node, work, {.groups = outer(node, -1)}); }

void rms_normalisation(const Node& node, const Rule&, Work& work) {
    normalise(node, work, {.forward = kRootMeanSquare, .statistics = 1, .groups = outer(node, -1)});
}

void instance_normalisation(const Node& node, const Rule&, Work& work) {
    normalise(node, work, {.groups = node.dimension(0, 0) * node.dimension(0, 1)});
}

void group_normalisation(const Node& node, const Rule&, Work& work) {
    const auto groups = static_cast<double>(node.integer("num_groups", node.integer("groups", 1)));
    normalise(node, work, {.groups = node.dimension(0, 0) * groups});
    if (node.integer("activation", 0) != 0) {  // com.microsoft.GroupNorm: SiLU after it
        work.features.flops += (kSigmoid + 1) * node.elements(0);
        work.features.input_gradient_flops += 4 * node.elements(0);
    }
}

void mean_variance(const Node& node, const Rule&, Work& work) {
    const auto axes = node.integers("axes");
    double groups = node.elements(0);
    for (const std::int64_t axis : axes.empty() ? std::vector<std::int64_t>{0, 2, 3} : axes) {
        const double size = node.dimension(0, axis);
        if (size > 0) groups /= size;
    }
    work.features.flops = (kNormalise - 2) * node.elements(0);
    work.gradient(node, 0, (kNormaliseGradient - 1) * node.elements(0));
    work.keep_input(0);
    work.kept_elements_f32 += 2 * groups;
}

/// com.microsoft SkipLayerNormalization and its RMS form: residual (and bias) added first; the sum is what is kept.
void skip(const Node& node, Work& work, bool simplified) {
    const std::size_t bias = simplified ? 3 : 4;
    const double elements = node.elements(0), rows = outer(node, -1);
    work.features.flops = ((simplified ? kRootMeanSquare : kNormalise) + 1 + (node.input(bias) ? 1 : 0)) * elements;
    work.gradient(node, 0, kNormaliseGradient * elements);  // one gradient serves both summands
    work.gradient(node, 2, kNormaliseWeightGradient * elements);
    if (!simplified) work.gradient(node, 3, elements);
    work.gradient(node, bias, elements);
    work.kept_bytes += element_bytes(node, 0) * elements;
    work.kept_elements_f32 += (simplified ? 1 : 2) * rows;
}

void skip_layer(const Node& node, const Rule&, Work& work) { skip(node, work, false); }
void skip_simplified(const Node& node, const Rule&, Work& work) { skip(node, work, true); }

void lp_normalisation(const Node& node, const Rule&, Work& work) {
    const bool squares = node.integer("p", 2) == 2;
    work.features.flops = (squares ? 3 : 2) * node.elements(0);
    work.gradient(node, 0, 5 * node.elements(0));
    work.keep_input(0);
}

/// A running sum of `size` squares, a power and a product for each element.
void local_response(const Node& node, const Rule&, Work& work) {
    const auto size = static_cast<double>(node.integer("size", 1));
    work.features.flops = (2 * size + kPower + 3) * node.elements(0);
    work.gradient(node, 0, (2 * size + kPower + 5) * node.elements(0));
    keep(node, Kept::inputs_and_output, work);
}

/// Loss over the class axis: log-softmax, then one entry a row. The log-probabilities are kept, as an output or inside.
void softmax_loss(const Node& node, const Rule&, Work& work) {
    const double classes = node.dimension(0, 1);
    work.features.flops = kSoftmax * node.elements(0) + (classes > 0 ? kLog * node.elements(0) / classes : 0);
    work.gradient(node, 0, 2 * node.elements(0));
    if (node.output(1)) {
        work.keep_output(1);
    } else {
        work.kept_bytes += element_bytes(node, 0) * node.elements(0);
    }
    work.keep_input(1);
}

void likelihood_loss(const Node& node, const Rule&, Work& work) {
    work.features.flops = 2 * node.elements(1);
    work.gradient(node, 0, node.elements(1));
    work.keep_input(1);
}

}  // namespace

std::span<const Rule> normalisation_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "BatchNormalization", .operator_class = reduction, .apply = batch_normalisation},
        {.type = "LayerNormalization", .operator_class = reduction, .apply = layer_normalisation},
        {.type = "RMSNormalization", .operator_class = reduction, .apply = rms_normalisation},
        {.type = "SimplifiedLayerNormalization", .operator_class = reduction, .apply = rms_normalisation},
        {.type = "InstanceNormalization", .operator_class = reduction, .apply = instance_normalisation},
        {.type = "GroupNormalization", .operator_class = reduction, .apply = group_normalisation},
        {.type = "MeanVarianceNormalization", .operator_class = reduction, .apply = mean_variance},
        {.type = "LpNormalization", .operator_class = reduction, .apply = lp_normalisation},
        {.type = "LRN", .operator_class = reduction, .apply = local_response},
        {.type = "Softmax",
         .operator_class = reduction,
         .apply = by_output_element,
         .flops = kSoftmax,
         .gradient = kSoftmaxGradient,
         .kept = Kept::output},
        {.type = "LogSoftmax",
         .operator_class = reduction,
         .apply = by_output_element,
         .flops = kSoftmax,
         .gradient = kExp + 3,
         .kept = Kept::output},
        {.type = "Hardmax", .operator_class = reduction, .apply = by_output_element, .flops = 2},
        {.type = "SoftmaxCrossEntropyLoss", .operator_class = reduction, .apply = softmax_loss},
        {.type = "NegativeLogLikelihoodLoss", .operator_class = reduction, .apply = likelihood_loss},
        {.type = "SkipLayerNormalization", .operator_class = reduction, .apply = skip_layer, .domain = kMicrosoft},
        {.type = "SkipSimplifiedLayerNormalization", .operator_class = reduction, .apply = skip_simplified, .domain = kMicrosoft},
        {.type = "GroupNorm", .operator_class = reduction, .apply = group_normalisation, .domain = kMicrosoft},
        {.type = "SkipGroupNorm", .operator_class = reduction, .apply = group_normalisation, .domain = kMicrosoft},
        {.type = "QLinearSoftmax", .operator_class = reduction, .apply = by_output_element, .flops = kSoftmax, .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
