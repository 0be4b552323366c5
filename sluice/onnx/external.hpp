// Private to this layer.
// Where the data of a tensor lies: in the model file, or in a file beside it.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "sluice/base/diagnostic.hpp"

namespace sluice::onnx {

/// Larger data lies in a weight file of its own.
inline constexpr std::int64_t kLargestEmbedded = 1024;
/// Offsets in weight files that we write: readers can map such a file.
inline constexpr std::int64_t kPage = 4096;
[[nodiscard]] constexpr std::int64_t to_page(std::int64_t offset) { return (offset + kPage - 1) / kPage * kPage; }

/// Weights are written through a buffer of so many bytes.
inline constexpr std::int64_t kWeightBuffer = std::int64_t{1} << 20;

struct ExternalData {
    std::string location;  // relative to the model's folder
    std::int64_t offset = 0, bytes = 0;
};

[[nodiscard]] inline bool is_external(const ::onnx::TensorProto& tensor) { return tensor.data_location() == ::onnx::TensorProto::EXTERNAL; }
/// Of an external tensor that check_model has passed.
[[nodiscard]] ExternalData external_of(const ::onnx::TensorProto& tensor);
/// Takes the place of whatever data the tensor had.
void set_external(::onnx::TensorProto& tensor, const ExternalData& data);
/// Bytes that the type and shape ask for; check_model has seen that they exist.
[[nodiscard]] std::int64_t data_bytes(const ::onnx::TensorProto& tensor);
/// Neither external nor there: weights that were cut out.
[[nodiscard]] bool is_absent(const ::onnx::TensorProto& tensor);
/// Embedded data as raw bytes; nullopt for strings and whatever else has none.
[[nodiscard]] std::optional<std::string> embedded_bytes(const ::onnx::TensorProto& tensor);

/// The file behind `data`, found from the model's folder. Diagnostics: absent or too short, with what to do.
[[nodiscard]] Result<std::filesystem::path> find_weights(const std::filesystem::path& model, const ExternalData& data,
                                                         std::string_view tensor);
[[nodiscard]] Diagnostic absent_weights(const std::filesystem::path& model, std::string_view what);

/// Every initializer, those of bodies and the values of sparse ones included.
void for_each_initializer(::onnx::GraphProto& graph, const std::function<void(::onnx::TensorProto&)>& f);

}  // namespace sluice::onnx
