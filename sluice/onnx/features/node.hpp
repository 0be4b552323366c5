// A node as the rules read it: shapes and attributes by index and name, absent ones as neutral values, so that a rule states only
// arithmetic. A malformed node (an input or axis that its type demands is missing) reads as size 0: it costs its bytes and no FLOPs; shape
// inference and the ONNX checker are what complains about it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/onnx/features.hpp"

namespace onnx {
class GraphProto;
}

namespace sluice::onnx::features {

[[nodiscard]] constexpr bool is_real(graph::DataType type) {
    using enum graph::DataType;
    return type == f64 || type == f32 || type == f16 || type == bf16 || type == f8;
}

/// Product of the dimensions; nullopt when one is negative or the product leaves int64.
[[nodiscard]] std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape);
/// Bytes of the whole tensor; nullopt when its shape is unknown or its size leaves int64.
[[nodiscard]] std::optional<Bytes> bytes_of(const TensorFacts& tensor);

class Node {
public:
    explicit Node(const OperatorFacts& facts) : facts_(facts) {}

    [[nodiscard]] const OperatorFacts& facts() const { return facts_; }
    [[nodiscard]] std::size_t input_count() const { return facts_.inputs.size(); }
    [[nodiscard]] std::size_t output_count() const { return facts_.outputs.size(); }
    [[nodiscard]] const TensorFacts* input(std::size_t i) const {
        return i < input_count() && facts_.inputs[i] ? &*facts_.inputs[i] : nullptr;
    }
    [[nodiscard]] const TensorFacts* output(std::size_t i) const {
        return i < output_count() && facts_.outputs[i] ? &*facts_.outputs[i] : nullptr;
    }
    [[nodiscard]] std::string_view input_name(std::size_t i) const;
    [[nodiscard]] std::string_view output_name(std::size_t i) const;

    [[nodiscard]] std::span<const std::int64_t> shape(std::size_t i) const {
        return input(i) ? std::span(input(i)->shape) : std::span<const std::int64_t>{};
    }
    [[nodiscard]] std::span<const std::int64_t> output_shape(std::size_t i) const {
        return output(i) ? std::span(output(i)->shape) : std::span<const std::int64_t>{};
    }
    [[nodiscard]] std::size_t rank(std::size_t i) const { return shape(i).size(); }
    /// One dimension of an input; negative axes count from the end; 0 when there is no such axis.
    [[nodiscard]] double dimension(std::size_t i, std::int64_t axis) const;
    [[nodiscard]] double output_dimension(std::size_t i, std::int64_t axis) const;
    /// 0 for an absent tensor, 1 for a scalar.
    [[nodiscard]] double elements(std::size_t i) const;
    [[nodiscard]] double output_elements(std::size_t i = 0) const;

    /// Needs a gradient: an activation of a real type with something trained upstream, or a trained parameter (features.hpp).
    [[nodiscard]] bool differentiable(std::size_t i) const;
    [[nodiscard]] bool activation(std::size_t i) const { return input(i) && !input(i)->parameter; }
    /// The only element of a known integer constant.
    [[nodiscard]] std::optional<std::int64_t> constant(std::size_t i) const;

    [[nodiscard]] std::int64_t integer(std::string_view attribute, std::int64_t otherwise) const;
    [[nodiscard]] std::string_view text(std::string_view attribute, std::string_view otherwise) const;
    [[nodiscard]] std::vector<std::int64_t> integers(std::string_view attribute) const;
    [[nodiscard]] std::size_t reals(std::string_view attribute) const;  // how many floats it holds
    [[nodiscard]] const ::onnx::GraphProto* body(std::string_view attribute) const;

private:
    const OperatorFacts& facts_;
};

}  // namespace sluice::onnx::features
