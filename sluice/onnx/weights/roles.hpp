// Private to this layer.
// What made-up values an initializer needs so that activations stay finite and of one scale, told from the operators that read it:
// matrices by fan-in, scales of normalisations near 1, variances positive, offsets small. O(nodes), deterministic.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>
#include <unordered_map>

namespace sluice::onnx {

struct Normal {
    double mean = 0, deviation = 0.02;
};

/// By initializer name, bodies included; the first operator that reads it decides.
[[nodiscard]] std::unordered_map<std::string, Normal> fill_roles(const ::onnx::GraphProto& graph);

}  // namespace sluice::onnx
