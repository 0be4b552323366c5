// Small tensors whose elements are known before any run: shapes, axes, indices, scales. Large ones are never evaluated.
// An element may be unknown by itself (the batch of a shape whose other sizes are fixed).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onnx {
class TensorProto;
}

namespace sluice::onnx {

using Shape = std::vector<std::int64_t>;

/// Values of more elements are not evaluated: no shape computation needs them, and constants of that size only need a byte count.
inline constexpr std::int64_t kLargestValue = 1024;

/// No tensor of a real model has a higher rank, but Gather of Gather doubles it.
inline constexpr std::size_t kLargestRank = 64;

/// One element: `real` for floating types, `integer` for integer and boolean ones.
struct Number {
    std::int64_t integer = 0;
    double real = 0;
    bool known = true;
};
inline constexpr Number kUnknown{.known = false};

class Value {
public:
    Value() = default;
    Value(std::int32_t onnx_type, Shape shape) : type_(onnx_type), shape_(std::move(shape)) {}

    [[nodiscard]] std::int32_t type() const { return type_; }
    [[nodiscard]] bool is_real() const;
    [[nodiscard]] const Shape& shape() const { return shape_; }
    [[nodiscard]] std::size_t size() const { return words_.size(); }
    [[nodiscard]] Number operator[](std::size_t i) const;
    /// Appends an element, rounded to float or refused as unknown when an integer does not fit the type.
    void push(Number number);
    [[nodiscard]] bool all_known() const { return unknown_.empty(); }
    /// The elements of an integer or boolean value when every one is known.
    [[nodiscard]] std::optional<std::vector<std::int64_t>> integers() const;
    [[nodiscard]] Value with_shape(Shape shape) const;

private:
    std::int32_t type_ = 0;
    Shape shape_;
    std::vector<std::int64_t> words_;  // reals by their bits
    std::vector<bool> unknown_;        // empty: all known
};

/// Types that a Value can hold: float, double, bool and the integers up to 64 bits.
[[nodiscard]] bool can_hold(std::int32_t onnx_type);
/// Product of the sizes; nullopt when a size is negative or the product leaves int64.
[[nodiscard]] std::optional<std::int64_t> element_count(const Shape& shape);

/// Whether a value of this shape is kept: at most kLargestValue elements, no size beyond it (an empty tensor may have huge ones), rank at
/// most kLargestRank.
[[nodiscard]] bool is_small(const Shape& shape);

/// Data held inside the tensor, checked against its shape; nullopt for external, large or unsupported ones.
[[nodiscard]] std::optional<Value> value_of(const ::onnx::TensorProto& tensor);
/// For libonnx's inference functions. Needs value.all_known().
void write_tensor(const Value& value, ::onnx::TensorProto& tensor);

}  // namespace sluice::onnx
