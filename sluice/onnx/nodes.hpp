// The nodes of a model file as they stand, and no more: for who needs names and tensors, not an import.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::onnx {

struct ModelNode {
    std::string name, op_type, domain;         // as in the file; any may be empty but op_type
    std::vector<std::string> inputs, outputs;  // "" for one left out
};

struct ModelNodes {
    std::vector<ModelNode> nodes;     // of the model's graph, in the file's order
    std::vector<std::string> nested;  // names of nodes in bodies of If, Loop, Scan, sorted
};

/// Data of initializers kept in other files is not looked at. Diagnostics: read_file's; no ONNX model.
[[nodiscard]] Result<ModelNodes> read_model_nodes(const std::filesystem::path& path);

/// Makes libonnx register its operators now. A process that also holds ONNX Runtime gets some 570 lines on std::cerr when it happens.
void register_operators();

/// Of the libonnx that is linked: "1.17.0".
[[nodiscard]] std::string library_version();

}  // namespace sluice::onnx
