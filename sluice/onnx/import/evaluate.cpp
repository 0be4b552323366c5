#include "sluice/onnx/import/evaluate.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>

namespace sluice::onnx {

const ::onnx::AttributeProto* Evaluation::attribute(std::string_view name) const {
    for (const auto& attribute : node.attribute()) {
        if (attribute.name() == name) return &attribute;
    }
    return nullptr;
}

std::int64_t Evaluation::integer(std::string_view name, std::int64_t otherwise) const {
    const auto* found = attribute(name);
    return found ? found->i() : otherwise;
}

std::optional<std::vector<std::int64_t>> Evaluation::integers(std::string_view name) const {
    const auto* found = attribute(name);
    if (!found) return std::nullopt;
    return std::vector<std::int64_t>(found->ints().begin(), found->ints().end());
}

std::optional<std::optional<std::vector<std::int64_t>>> Evaluation::integers(std::string_view name, std::size_t input) const {
    if (auto given = integers(name)) return given;
    if (!has(input)) return std::optional<std::vector<std::int64_t>>{};
    const Value* known = value(input);
    auto list = known ? known->integers() : std::nullopt;
    if (!list) return std::nullopt;
    return list;
}

std::vector<Value> evaluate(const Evaluation& evaluation) {
    const std::string& domain = evaluation.node.domain();
    if (!domain.empty() && domain != "ai.onnx") return {};
    Evaluator found = find_arithmetic(evaluation.node.op_type());
    if (!found) found = find_layout(evaluation.node.op_type());
    return found ? found(evaluation) : std::vector<Value>{};
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
    Shape result(std::max(a.size(), b.size()), 1);
    for (std::size_t i = 0; i < result.size(); ++i) {
        const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
        const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
        if (x != y && x != 1 && y != 1) return std::nullopt;
        result[result.size() - 1 - i] = x == 1 ? y : x;
    }
    return result;
}

std::optional<std::size_t> axis_from_front(std::int64_t axis, std::size_t rank) {
    const auto signed_rank = static_cast<std::int64_t>(rank);
    if (axis < -signed_rank || axis >= signed_rank) return std::nullopt;
    return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

Shape strides_of(const Shape& shape) {
    Shape strides(shape.size(), 1);
    for (std::size_t d = shape.size(); d-- > 1;)
        strides[d - 1] = static_cast<std::int64_t>(static_cast<std::uint64_t>(strides[d]) *
                                                   static_cast<std::uint64_t>(shape[d]));  // may wrap when the tensor is empty
    return strides;
}

Shape strides_of(const Shape& shape, const Shape& target) {
    const Shape own = strides_of(shape);
    Shape strides(target.size(), 0);
    const std::size_t shift = target.size() - shape.size();
    for (std::size_t d = 0; d < shape.size(); ++d) {
        if (shape[d] != 1) strides[d + shift] = own[d];
    }
    return strides;
}

}  // namespace sluice::onnx
