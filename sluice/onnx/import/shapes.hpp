// Private to this layer.
// Type and shape of every tensor, and the value of small ones, in one walk in topological order: at each node libonnx' inference
// function runs on the values that our evaluator has found so far, then the evaluator on the shapes just inferred. Knowledge flows forward
// only, so one walk is the fixpoint; loop-carried state is iterated until it stands (notes/onnx.md §3).
// O(nodes) inference calls, a bounded number for each node inside loops. Deterministic.
//
// Where a size stays open: the file's own value_info; then --dim; then, for a size that depends on data, an upper bound by rule (NonZero
// marks at most every element), recorded as an assumption; then --assume-size, which also lowers such bounds.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/onnx/import.hpp"
#include "sluice/onnx/import/scope.hpp"

namespace sluice::onnx {

using Opsets = std::unordered_map<std::string, std::int64_t>;  // "ai.onnx" is ""
[[nodiscard]] Opsets opsets_of(const ::onnx::ModelProto& model);
[[nodiscard]] std::int64_t opset_for(const Opsets& opsets, const ::onnx::NodeProto& node);
/// Same inputs, other outputs: RandomNormal and its like, or a body that holds one.
[[nodiscard]] bool is_random(const NodeLinks& links);

struct ShapeReport {
    std::vector<std::string> assumptions;
    std::vector<std::string> warnings;
    std::vector<std::pair<std::string, std::string>> bound_dimensions;
    std::vector<std::string> open_symbols;  // symbolic dimensions of model inputs that nothing bound
    std::vector<std::string> open_inputs;   // "'x' [?, 3]": model inputs with an open size that has no name
    std::vector<std::string> origins;       // operators whose inputs are known and whose output sizes are not
};

/// Diagnostics: --dim names nothing, or contradicts the file; a negative size; a model input without a type.
[[nodiscard]] Result<ShapeReport> infer_shapes(Scope& scope, const Opsets& opsets, const ImportOptions& options, const std::string& file);

/// Upper bounds of the outputs' sizes where those depend on data, by rule; empty when there is no rule. -1: not bounded by it.
[[nodiscard]] std::vector<Shape> data_dependent_bounds(const NodeLinks& links);

}  // namespace sluice::onnx
