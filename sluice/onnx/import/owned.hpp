// Private to this layer.
#pragma once

#include <string>

#include "sluice/onnx/import.hpp"

namespace sluice::onnx {

/// import_bytes that frees the bytes once they are parsed: embedded weights need not lie in memory twice.
[[nodiscard]] Result<ImportedModel> import_owned(std::string bytes, const std::string& file, const ImportOptions& options);

}  // namespace sluice::onnx
