// A model file and its external data beside it. The data is streamed through one small buffer; both files are complete under temporary
// names before either gets its own, so a failure leaves what was there.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string_view>

#include "sluice/onnx/zoo/serialise.hpp"

namespace sluice::onnx::zoo {

/// PATH.weights
[[nodiscard]] std::filesystem::path data_path(const std::filesystem::path& path);

/// Diagnostics: too little space (checked first, in numbers), a path that is no file, a folder that is missing or not writable, a stop.
[[nodiscard]] Result<void> write_pair(const std::filesystem::path& path, std::string_view model_file, const Model& model,
                                      const DataLayout& layout, std::uint64_t seed, const std::stop_token& stop);

}  // namespace sluice::onnx::zoo
