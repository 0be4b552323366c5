// Model -> ONNX file (ir_version 8, opset 17). Protobuf stays behind this header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/onnx/zoo/builder.hpp"

namespace sluice::onnx::zoo {

/// Initializers of at most this many bytes lie in the model file, whatever happens to the others.
inline constexpr std::int64_t kLargestSmallInitializer = 1024;

/// Where external data lies: page-aligned, so that readers can map it.
struct DataLayout {
    std::vector<std::optional<std::int64_t>> offsets;  // of each initializer; nullopt: in the model file
    std::int64_t bytes = 0;                            // size of the data file
};
/// Diagnostic: the file would hold more than 2^63 bytes.
[[nodiscard]] DataLayout external_layout(const Model& model);
[[nodiscard]] DataLayout embedded_layout(const Model& model);

/// `location`: the data file's name as the model states it. Throws Refusal when the result exceeds protobuf's 2 GiB.
[[nodiscard]] std::string serialise(const Model& model, const DataLayout& layout, const std::string& location, std::uint64_t seed);

}  // namespace sluice::onnx::zoo
