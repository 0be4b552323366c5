// Private to this layer.
// What the file of each stage holds: its own operators, and copied in whatever import kept out of the graph and the stage still needs —
// folded constants, removed Identities, initializers, an operator that is in no stage. Where a folded chain starts from the shape of a
// tensor that the stage has not, the shape itself is put in. O(stages × nodes) at worst, deterministic.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "sluice/onnx/import/understand.hpp"

namespace sluice::onnx {

struct Slice {
    std::vector<std::size_t> nodes;               // of the file, in topological order
    std::vector<const TensorInfo*> initializers;  // in the order of their first use
    std::vector<const TensorInfo*> shapes;        // made by Shape or Size of a tensor that is not here: their values, embedded
    std::vector<const TensorInfo*> inputs;        // of the model or of another stage
    std::vector<const TensorInfo*> outputs;       // read by another stage, or what a model output is
};

struct Slices {
    std::vector<Slice> stages;
    std::vector<const TensorInfo*> made_as;  // of each model output; null: it depends on no input's data
};

/// `owner`: the stage of each node of the file, if it is an operator of one. Diagnostics: a model output
/// whose maker is in no stage; a shape that is needed and not known.
[[nodiscard]] Result<Slices> slice_stages(const Understood& model, std::span<const std::optional<std::size_t>> owner, std::size_t stages);

}  // namespace sluice::onnx
