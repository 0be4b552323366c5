// Private to this layer.
// What is known of a tensor's type, as libonnx writes it: an element type, and a shape whose sizes may be open.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/units.hpp"
#include "sluice/onnx/import/value.hpp"

namespace sluice::onnx {

/// The shape when every size is known; nullopt for an open size, an unknown rank, or something that is no tensor.
[[nodiscard]] std::optional<Shape> full_shape(const ::onnx::TypeProto& type);
[[nodiscard]] bool has_open_size(const ::onnx::TypeProto& type);
/// Neither the element type nor a size is missing.
[[nodiscard]] bool is_closed(const ::onnx::TypeProto& type);
void set_shape(::onnx::TypeProto& type, const Shape& shape);
/// "[1, batch, ?]", "of unknown rank"
[[nodiscard]] std::string shape_text(const ::onnx::TypeProto& type);
/// What holds for both: sizes that differ are open, ranks that differ leave no shape.
[[nodiscard]] ::onnx::TypeProto join(const ::onnx::TypeProto& a, const ::onnx::TypeProto& b);
/// Bytes of a tensor; nullopt for an unknown type or beyond int64.
[[nodiscard]] std::optional<Bytes> bytes_of(std::int32_t element_type, const Shape& shape);
/// Same element type and shape, open sizes at the same places.
[[nodiscard]] bool same_type(const ::onnx::TypeProto& a, const ::onnx::TypeProto& b);

}  // namespace sluice::onnx
