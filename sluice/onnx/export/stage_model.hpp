// Private to this layer.
// A slice as a ModelProto: nodes copied as they are, initializers where WeightFiles puts them, the types of what goes in and out stated.
#pragma once

#include "sluice/onnx/export/slice.hpp"
#include "sluice/onnx/export/weight_files.hpp"

namespace sluice::onnx {

[[nodiscard]] Result<::onnx::ModelProto> stage_model(const Understood& model, const Slice& slice, std::size_t stage, WeightFiles& weights);

}  // namespace sluice::onnx
