// Computes an operator on small known values: the integer and boolean arithmetic by which exported models work out their own shapes
// (notes/onnx.md §3), where libonnx' inference gives up. Follows the ONNX operator definitions, opsets 9 to 21.
// Linear in the elements it touches; an overflow, a division by zero or a bad index makes an unknown, never an error.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/onnx/import/value.hpp"

namespace onnx {
class NodeProto;
class AttributeProto;
class TypeProto;
}  // namespace onnx

namespace sluice::onnx {

struct Operand {
    const ::onnx::TypeProto* type = nullptr;  // null: an empty optional input
    const Value* value = nullptr;             // null: not known
};

struct Evaluation {
    const ::onnx::NodeProto& node;
    std::int64_t opset;
    std::span<const Operand> inputs;

    [[nodiscard]] bool has(std::size_t i) const { return i < inputs.size() && inputs[i].type != nullptr; }
    [[nodiscard]] const Value* value(std::size_t i) const { return i < inputs.size() ? inputs[i].value : nullptr; }
    [[nodiscard]] const ::onnx::AttributeProto* attribute(std::string_view name) const;
    [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t otherwise) const;
    [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(std::string_view name) const;
    /// Axes and the like: an attribute in older opsets, an input in newer ones. The outer nullopt: given, but not known.
    [[nodiscard]] std::optional<std::optional<std::vector<std::int64_t>>> integers(std::string_view name, std::size_t input) const;
};

/// One value per output (an output past the end is unknown); empty when the operator is not one of ours or its inputs are not known.
[[nodiscard]] std::vector<Value> evaluate(const Evaluation& evaluation);

using Evaluator = std::vector<Value> (*)(const Evaluation&);
[[nodiscard]] Evaluator find_arithmetic(std::string_view op_type);  // element by element, and reductions
[[nodiscard]] Evaluator find_layout(std::string_view op_type);      // which element goes where

/// The shape that both broadcast to, nullopt when they do not.
[[nodiscard]] std::optional<Shape> broadcast(const Shape& a, const Shape& b);
/// An axis counted from the front; nullopt when out of range.
[[nodiscard]] std::optional<std::size_t> axis_from_front(std::int64_t axis, std::size_t rank);
/// Walks the positions of `shape` in row-major order, keeping the offset that `strides` give to each.
class Walk {
public:
    Walk(const Shape& shape, Shape strides) : shape_(shape), strides_(std::move(strides)), position_(shape.size(), 0) {}
    [[nodiscard]] std::int64_t offset() const { return offset_; }
    [[nodiscard]] const Shape& position() const { return position_; }
    void next() {
        for (std::size_t d = shape_.size(); d-- > 0;) {
            offset_ += strides_[d];
            if (++position_[d] < shape_[d]) return;
            offset_ -= strides_[d] * shape_[d];
            position_[d] = 0;
        }
    }

private:
    Shape shape_, strides_, position_;
    std::int64_t offset_ = 0;
};
/// Row-major strides of `shape`; with `target`, those of a broadcast to it (0 along repeated axes).
[[nodiscard]] Shape strides_of(const Shape& shape);
[[nodiscard]] Shape strides_of(const Shape& shape, const Shape& target);

}  // namespace sluice::onnx
