// The external data of a model, streamed to disk through one small buffer and renamed when complete.
#pragma once

#include <filesystem>

#include "sluice/onnx/zoo/serialise.hpp"

namespace sluice::onnx::zoo {

/// Diagnostics: too little space (checked first, in numbers), a folder that is missing or not writable.
[[nodiscard]] Result<void> write_data(const std::filesystem::path& path, const Model& model, const DataLayout& layout, std::uint64_t seed);

}  // namespace sluice::onnx::zoo
