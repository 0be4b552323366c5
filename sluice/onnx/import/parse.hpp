// Bytes -> ModelProto, telling wrong files apart, and what must hold of a model before anything else looks at it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/base/diagnostic.hpp"

namespace onnx {
class ModelProto;
}

namespace sluice::onnx {

/// Protobuf ends at 2 GiB; larger models keep their weights in a file beside.
inline constexpr std::size_t kLargestModelFile = (std::size_t{1} << 31) - 1;
inline constexpr std::int64_t kOldestOpset = 9, kNewestOpset = 21;

/// Diagnostics: empty, text, truncated or some other file.
[[nodiscard]] Result<std::unique_ptr<::onnx::ModelProto>> parse_model(std::string_view bytes, const std::string& file);

/// Opset range; every tensor in the model, functions and bodies included: sizes that exist, data of the size its shape asks for, external
/// data inside the model's folder.
[[nodiscard]] Result<void> check_model(const ::onnx::ModelProto& model, const std::string& file);

/// Replaces calls of the model's own functions by their nodes; gives how many functions went. Diagnostics: functions that call themselves,
/// nesting or an expansion that no real model has.
[[nodiscard]] Result<std::size_t> inline_functions(::onnx::ModelProto& model, const std::string& file);

}  // namespace sluice::onnx
