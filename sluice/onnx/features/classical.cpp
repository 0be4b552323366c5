// ai.onnx.ml: the types that feed or follow a network. Trees and their like stay unknown: their work depends on the data.
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

/// Coefficients are an attribute: every row meets each of them once.
void linear(const Node& node, const Rule&, Work& work) {
    const double features = node.dimension(0, -1);
    const double rows = features > 0 ? node.elements(0) / features : 0;
    work.forward_product(2 * rows * static_cast<double>(node.reals("coefficients")), rows);
}

/// Every row against each support vector, and the kernel's function of the product.
void support_vectors(const Node& node, const Rule&, Work& work) {
    const double features = node.dimension(0, -1);
    const double rows = features > 0 ? node.elements(0) / features : 0;
    const auto values = static_cast<double>(node.reals("support_vectors"));
    work.forward_product(2 * rows * values, rows);
    work.features.flops += features > 0 ? kExp * rows * values / features : 0;
}

}  // namespace

std::span<const Rule> classical_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "LinearClassifier", .operator_class = matrix, .apply = linear, .domain = kMl},
        {.type = "LinearRegressor", .operator_class = matrix, .apply = linear, .domain = kMl},
        {.type = "SVMClassifier", .operator_class = matrix, .apply = support_vectors, .domain = kMl},
        {.type = "SVMRegressor", .operator_class = matrix, .apply = support_vectors, .domain = kMl},
        {.type = "Normalizer", .operator_class = reduction, .apply = by_input_element, .flops = 2 + kDivide, .domain = kMl},
        {.type = "Scaler", .operator_class = elementwise, .apply = by_input_element, .flops = 2, .domain = kMl},
        {.type = "Binarizer", .operator_class = elementwise, .apply = by_input_element, .flops = 1, .domain = kMl},
        {.type = "Imputer", .operator_class = elementwise, .apply = by_input_element, .flops = 1, .domain = kMl},
        {.type = "OneHotEncoder", .operator_class = movement, .domain = kMl},
        {.type = "FeatureVectorizer", .operator_class = movement, .domain = kMl},
        {.type = "LabelEncoder", .operator_class = embedding, .domain = kMl},
        {.type = "CategoryMapper", .operator_class = embedding, .domain = kMl},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
