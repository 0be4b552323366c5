// Element types of tensors that cross between processes and files: ONNX's numbers, their sizes, their names in .npy files.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::runtime {

struct ElementType {
    std::int32_t number;     // TensorProto::DataType, and ONNX Runtime's
    std::string_view name;   // "float32"
    std::string_view descr;  // of .npy: "<f4"
    std::int64_t bytes;
    bool floating, boolean;
};

/// Null when it is none of those that can be carried (strings, complex numbers, types under a byte).
[[nodiscard]] const ElementType* element_type(std::int32_t number);
/// By NumPy's description; "=" and "|" count as "<". bfloat16, which NumPy lacks, is the "|V2" that ml_dtypes writes.
[[nodiscard]] const ElementType* element_type(std::string_view descr);
/// "float32", or "element type 8" for one that cannot be carried.
[[nodiscard]] std::string element_type_name(std::int32_t number);

/// Bytes of a tensor; nothing when a size is negative or the product does not fit.
[[nodiscard]] std::optional<std::int64_t> bytes_of(const ElementType& type, std::span<const std::int64_t> shape);
/// "1x3x224x224"; "scalar".
[[nodiscard]] std::string shape_text(std::span<const std::int64_t> shape);

}  // namespace sluice::runtime
