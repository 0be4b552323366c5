// Private to this layer.
// A model file changed as a graph's rewrites say: copied nodes with outputs of their own, Identities, readers that read these. Whatever
// import kept out of the graph (folded chains, removed Identities, constants) stays as it is, and is read by copies too.
// O(nodes + rewrites with their readers). Deterministic.
#pragma once

#include "sluice/graph/rewrite.hpp"
#include "sluice/onnx/import.hpp"
#include "sluice/onnx/import/understand.hpp"

namespace sluice::onnx {

struct RewrittenModel {
    Understood model;
    std::vector<std::int64_t> source;  // per operator of the rewritten graph: its node in the file
};

/// `model`: understood, and `original` the graph built from it; `rewritten`: that with rewrites. Nodes of the file keep their numbers, new
/// ones follow. Diagnostics: the changed model is understood again.
[[nodiscard]] Result<RewrittenModel> rewrite_model(Understood model, const graph::Graph& original, const graph::Graph& rewritten,
                                                   const ImportOptions& options, const std::string& file);

}  // namespace sluice::onnx
