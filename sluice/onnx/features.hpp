// What a node of an ONNX file does, free of any platform (design §3.4): class, FLOPs, bytes, and what its backward pass needs.
// One rule per operator type, looked up by domain and type; private to the onnx layer.
//
// Conventions. A multiply-add is two FLOPs. An addition, a multiplication, a comparison is one; a transcendental counts what its usual
// polynomial costs (features/rule.hpp). An initializer of a floating-point type with more than one element is taken to be trained, one
// element is a constant. An activation of a floating-point type needs a gradient unless its facts say otherwise.
// A tensor whose shape is unknown, or sizes beyond int64, leave the class and no work: the caller reports that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/graph/features.hpp"

namespace onnx {
class NodeProto;
}

namespace sluice::onnx {

struct TensorFacts {
    graph::DataType type = graph::DataType::other;
    std::vector<std::int64_t> shape;
    bool shape_known = false;
    bool parameter = false;                          // an initializer or a folded constant
    std::optional<std::vector<std::int64_t>> value;  // small integer constants: axes, repeats, sizes
    bool needs_gradient = true;                      // of an activation; false: nothing trained lies upstream (passes_gradient)
};

struct OperatorFacts {
    const ::onnx::NodeProto* node = nullptr;
    std::int64_t opset = 0;                           // of the node's domain
    std::vector<std::optional<TensorFacts>> inputs;   // nullopt: an empty optional input
    std::vector<std::optional<TensorFacts>> outputs;  // nullopt: an empty optional output
    std::vector<TensorFacts> captured;                // what the bodies of If, Loop, Scan read from outside
    std::vector<std::string> captured_names;          // of `captured`, in its order; when empty, bodies are costed without their shapes
};

/// Never fails: what cannot be known is zero (see above). Deterministic; linear in the size of the node and its shapes.
[[nodiscard]] graph::Features features_of(const OperatorFacts& facts);
/// Whether the node's outputs need a gradient: one is of a floating-point type, and so is an input that is trained or needs one. Walked in
/// topological order this tells the tensors with something trained upstream from the rest (images, masks), as autograd does.
[[nodiscard]] bool passes_gradient(const OperatorFacts& facts);

/// What Features::kept_for_backward is made of. That sum counts a tensor once for each operator that keeps it (the input of the three
/// projections of attention; what a Relu makes and a Conv reads); who wants the bytes that a stage holds joins these by tensor.
struct KeptTensors {
    std::vector<std::size_t> inputs, outputs;  // indices into the facts; activations, each tensor once, ascending
    Bytes beside;                              // statistics, masks and indices that are no tensors of the graph
};
[[nodiscard]] KeptTensors kept_by(const OperatorFacts& facts);

/// Reshape and its like: the output is the input's memory under another shape.
[[nodiscard]] bool is_view(std::string_view domain, std::string_view op_type);
/// Whether features_of knows the type; without a rule an operator is of class unknown and costed by bytes.
[[nodiscard]] bool has_cost_rule(std::string_view domain, std::string_view op_type);
/// The kind of an ONNX TensorProto::DataType; nullopt when it is undefined or not an element type. Complex types are `other`.
[[nodiscard]] std::optional<graph::DataType> data_type_of(std::int32_t onnx_elem_type);

}  // namespace sluice::onnx
