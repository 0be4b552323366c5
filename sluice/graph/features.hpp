// What an operator does, free of any platform: import derives it, cost/ turns it into time on a device class (design §3.4).
// Units: FLOPs count a multiply-add as two; bytes are whole tensors at their ONNX data type; everything is for the batch the file holds.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sluice/base/units.hpp"

namespace sluice::graph {

/// What limits an operator: cost models give an efficiency per class.
enum class OperatorClass : std::uint8_t {
    matrix,       // Gemm, MatMul, Einsum, attention, LSTM: rows of a matrix through a matrix unit
    convolution,  // Conv, ConvTranspose (dense or grouped)
    depthwise,    // Conv with one channel a group: bound by memory on most devices
    reduction,    // softmax, normalisation, Reduce*, pooling, ArgMax, TopK
    elementwise,  // arithmetic, activation, comparison, Cast, quantise
    embedding,    // Gather and friends: reads only the rows it needs
    movement,     // Transpose, Concat, Split, Slice, Pad, Resize(nearest): bytes without arithmetic
    view,         // Reshape, Identity, Squeeze: no data moves inside a stage
    control,      // If, Loop, Scan: opaque
    unknown       // custom or unmodelled: costed by bytes, counted in a warning
};
inline constexpr std::size_t kOperatorClasses = 10;
[[nodiscard]] std::string_view to_text(OperatorClass operator_class);
[[nodiscard]] std::optional<OperatorClass> parse_operator_class(std::string_view text);

/// The data type that arithmetic is done in; peak rates are given per kind.
enum class DataType : std::uint8_t { f64, f32, f16, bf16, f8, i64, i32, i16, i8, i4, boolean, text, other };
inline constexpr std::size_t kDataTypes = 13;
[[nodiscard]] std::string_view to_text(DataType type);
[[nodiscard]] std::optional<DataType> parse_data_type(std::string_view text);
/// Bytes of `elements` elements, rounded up (i4 packs two a byte); text counts 16 an element; nullopt on overflow.
[[nodiscard]] std::optional<Bytes> bytes_of(DataType type, std::int64_t elements);

struct Features {
    OperatorClass operator_class = OperatorClass::unknown;
    DataType compute_type = DataType::f32;
    double flops = 0;       // forward
    std::int64_t rows = 0;  // rows of the (batched) matrix product, the M of M×K·K×N; 0: not a matrix operator
    Bytes read;             // activations read from memory (an embedding reads only its rows)
    Bytes written;          // activations written
    Bytes parameters_read;  // parameter bytes this operator streams (an embedding: only the rows it looks up)
    double input_gradient_flops = 0;
    double weight_gradient_flops = 0;
    Bytes kept_for_backward;  // activations that the backward pass of this operator needs
    friend bool operator==(const Features&, const Features&) = default;
};

}  // namespace sluice::graph
