#include "sluice/onnx/features/node.hpp"

#include <onnx/onnx_pb.h>

namespace sluice::onnx::features {

namespace {

double dimension_of(std::span<const std::int64_t> shape, std::int64_t axis) {
    const auto rank = static_cast<std::int64_t>(shape.size());
    if (axis < 0) axis += rank;
    return axis >= 0 && axis < rank ? static_cast<double>(shape[static_cast<std::size_t>(axis)]) : 0;
}

double elements_of(const TensorFacts* tensor) {
    if (!tensor) return 0;
    double product = 1;
    for (const std::int64_t dimension : tensor->shape) product *= static_cast<double>(dimension);
    return product;
}

const ::onnx::AttributeProto* find(const OperatorFacts& facts, std::string_view name) {
    for (const auto& attribute : facts.node->attribute()) {
        if (attribute.name() == name) return &attribute;
    }
    return nullptr;
}

}  // namespace

std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) {
    std::int64_t count = 1;
    bool empty = false;
    for (const std::int64_t dimension : shape) {
        if (dimension < 0) return std::nullopt;
        empty |= dimension == 0;
    }
    if (empty) return 0;
    for (const std::int64_t dimension : shape) {
        const auto product = checked_multiply(count, dimension);
        if (!product) return std::nullopt;
        count = *product;
    }
    return count;
}

std::optional<Bytes> bytes_of(const TensorFacts& tensor) {
    if (!tensor.shape_known) return std::nullopt;
    const auto count = element_count(tensor.shape);
    return count ? graph::bytes_of(tensor.type, *count) : std::nullopt;
}

std::string_view Node::input_name(std::size_t i) const {
    const auto index = static_cast<int>(i);
    return index < facts_.node->input_size() ? std::string_view(facts_.node->input(index)) : std::string_view{};
}

std::string_view Node::output_name(std::size_t i) const {
    const auto index = static_cast<int>(i);
    return index < facts_.node->output_size() ? std::string_view(facts_.node->output(index)) : std::string_view{};
}

double Node::dimension(std::size_t i, std::int64_t axis) const { return dimension_of(shape(i), axis); }
double Node::output_dimension(std::size_t i, std::int64_t axis) const { return dimension_of(output_shape(i), axis); }
double Node::elements(std::size_t i) const { return elements_of(input(i)); }
double Node::output_elements(std::size_t i) const { return elements_of(output(i)); }

bool Node::differentiable(std::size_t i) const {
    const TensorFacts* tensor = input(i);
    return tensor && is_real(tensor->type) && (tensor->parameter ? elements(i) > 1 : tensor->needs_gradient);
}

std::optional<std::int64_t> Node::constant(std::size_t i) const {
    const TensorFacts* tensor = input(i);
    if (!tensor || !tensor->value || tensor->value->size() != 1) return std::nullopt;
    return tensor->value->front();
}

std::int64_t Node::integer(std::string_view attribute, std::int64_t otherwise) const {
    const auto* found = find(facts_, attribute);
    return found ? found->i() : otherwise;
}

std::string_view Node::text(std::string_view attribute, std::string_view otherwise) const {
    const auto* found = find(facts_, attribute);
    return found ? std::string_view(found->s()) : otherwise;
}

std::vector<std::int64_t> Node::integers(std::string_view attribute) const {
    const auto* found = find(facts_, attribute);
    return found ? std::vector<std::int64_t>(found->ints().begin(), found->ints().end()) : std::vector<std::int64_t>{};
}

std::size_t Node::reals(std::string_view attribute) const {
    const auto* found = find(facts_, attribute);
    return found ? static_cast<std::size_t>(found->floats_size()) : 0;
}

const ::onnx::GraphProto* Node::body(std::string_view attribute) const {
    const auto* found = find(facts_, attribute);
    return found && found->has_g() ? &found->g() : nullptr;
}

}  // namespace sluice::onnx::features
