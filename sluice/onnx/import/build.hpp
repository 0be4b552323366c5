// Private to this layer.
// The cleaned model as a Graph: parameters apart from activations, each once; tensors as hyperedges; features per operator.
#pragma once

#include "sluice/onnx/import/clean.hpp"
#include "sluice/onnx/import/shapes.hpp"

namespace sluice::onnx {

/// Constants up to this size are computed again wherever they are needed; larger ones are parameters and count.
inline constexpr Bytes kSmallConstant{1024};

/// Diagnostics: sizes still open (first tensors, count, cause and cure), sizes beyond int64, nothing left to plan.
[[nodiscard]] Result<ImportedModel> build_graph(const Scope& scope, const Cleaned& cleaned, const ShapeReport& shapes, const Opsets& opsets,
                                                const ImportOptions& options, ImportReport report, const std::string& file);

/// A parameter and how the first operator that reads it as its first or second input does so.
struct ParameterUse {
    const TensorInfo* tensor;
    bool looked_up = false;   // data of a Gather
    bool multiplied = false;  // right side of a MatMul or Gemm
};
/// Warnings about embeddings that a constant-folding exporter has stored a second time, transposed (notes/onnx.md §5).
[[nodiscard]] std::vector<std::string> find_tied_copies(const std::vector<ParameterUse>& uses);

}  // namespace sluice::onnx
