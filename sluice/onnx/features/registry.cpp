#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>

#include "sluice/onnx/features.hpp"

namespace sluice::onnx {

namespace {

constexpr std::array<std::string_view, 5> kViews{"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"};

std::optional<Bytes> bytes_of(const std::optional<TensorFacts>& tensor) {
    if (!tensor) return Bytes{};
    if (!tensor->shape_known) return std::nullopt;
    std::int64_t elements = 1;
    for (const std::int64_t dimension : tensor->shape) {
        const auto product = checked_multiply(elements, dimension);
        if (dimension < 0 || !product) return std::nullopt;
        elements = *product;
    }
    return graph::bytes_of(tensor->type, elements);
}

bool add(Bytes& total, const std::optional<TensorFacts>& tensor) {
    const auto bytes = bytes_of(tensor);
    if (!bytes) return false;
    const auto sum = checked_add(total.count, bytes->count);
    if (!sum) return false;
    total = Bytes{*sum};
    return true;
}

}  // namespace

bool is_view(std::string_view domain, std::string_view op_type) {
    return (domain.empty() || domain == "ai.onnx") && std::ranges::contains(kViews, op_type);
}

bool has_cost_rule(std::string_view domain, std::string_view op_type) { return is_view(domain, op_type); }

graph::Features features_of(const OperatorFacts& facts) {
    graph::Features features;
    if (is_view(facts.node->domain(), facts.node->op_type())) {
        features.operator_class = graph::OperatorClass::view;
        return features;
    }
    graph::Features by_bytes = features;
    for (const auto& input : facts.inputs) {
        if (!add(input && input->parameter ? by_bytes.parameters_read : by_bytes.read, input)) return features;
    }
    for (const auto& output : facts.outputs) {
        if (!add(by_bytes.written, output)) return features;
    }
    return by_bytes;
}

}  // namespace sluice::onnx
