// Private to this layer.
// Decides which nodes become operators. What does not depend on the inputs' data is folded away; Identity and Dropout fall out; views of an
// initializer stand for it; what only led to folded sizes is dead (notes/onnx.md §1, 2, 5). O(nodes + edges), deterministic.
#pragma once

#include <unordered_map>
#include <vector>

#include "sluice/onnx/import/scope.hpp"

namespace sluice::onnx {

struct Cleaned {
    std::vector<std::size_t> operators;                             // nodes that stay, in topological order
    std::unordered_map<const TensorInfo*, TensorInfo*> stands_for;  // removed tensor -> the one that remains
    std::unordered_map<const TensorInfo*, std::vector<TensorInfo*>>
        dequantised;  // folded constant -> the quantised initializers kept for it
    std::size_t folded = 0, removed_identities = 0, aliases = 0;
    std::vector<std::size_t> stray_sinks;  // operators that lead to no model output, in the file already

    [[nodiscard]] TensorInfo* root(TensorInfo* tensor) const {
        const auto found = stands_for.find(tensor);
        return found == stands_for.end() ? tensor : found->second;
    }
};

[[nodiscard]] Cleaned clean(const Scope& scope);

}  // namespace sluice::onnx
