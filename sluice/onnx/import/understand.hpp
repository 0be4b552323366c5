// Private to this layer.
// Everything that import finds out about a model before it becomes a Graph; export walks the same.
#pragma once

#include <onnx/onnx_pb.h>

#include <memory>
#include <string>

#include "sluice/onnx/import/clean.hpp"
#include "sluice/onnx/import/shapes.hpp"

namespace sluice::onnx {

struct Understood {
    std::unique_ptr<::onnx::ModelProto> model;  // functions inlined; what follows points into it
    std::unique_ptr<Scope> scope;
    Opsets opsets;
    ShapeReport shapes;
    Cleaned cleaned;
    ImportReport report;  // what these phases know of it
};

/// Check, inline, link, infer, clean. libonnx and protobuf may throw.
[[nodiscard]] Result<Understood> understand(std::unique_ptr<::onnx::ModelProto> model, const std::string& file,
                                            const ImportOptions& options);

}  // namespace sluice::onnx
