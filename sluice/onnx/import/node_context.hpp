// Private to this layer.
// One node as libonnx' inference functions want to see it, on what we know of its inputs.
#pragma once

#include <onnx/defs/schema.h>
#include <onnx/defs/shape_inference.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/onnx/import/scope.hpp"

namespace sluice::onnx {

/// Infers a body from the types of its inputs and gives those of its outputs.
using BodyInference = std::function<std::vector<const ::onnx::TypeProto*>(Scope&, const std::vector<const ::onnx::TypeProto*>&)>;

class NodeContext final : public ::onnx::InferenceContext {
public:
    NodeContext(NodeLinks& links, BodyInference infer_body);

    [[nodiscard]] const ::onnx::AttributeProto* getAttribute(const std::string& name) const override;
    [[nodiscard]] std::size_t getNumInputs() const override { return links_.inputs.size(); }
    [[nodiscard]] const ::onnx::TypeProto* getInputType(std::size_t index) const override;
    [[nodiscard]] bool hasInput(std::size_t index) const override;
    [[nodiscard]] const ::onnx::TensorProto* getInputData(std::size_t index) const override;
    [[nodiscard]] const ::onnx::SparseTensorProto* getInputSparseData(std::size_t) const override { return nullptr; }
    [[nodiscard]] const ::onnx::TensorShapeProto* getSymbolicInput(std::size_t index) const override;
    [[nodiscard]] std::size_t getNumOutputs() const override { return outputs_.size(); }
    [[nodiscard]] ::onnx::TypeProto* getOutputType(std::size_t index) override;
    [[nodiscard]] ::onnx::GraphInferencer* getGraphAttributeInferencer(const std::string& name) override;
    [[nodiscard]] std::string getDisplayName() const override { return label(*links_.node); }

    [[nodiscard]] std::vector<::onnx::TypeProto>& outputs() { return outputs_; }

private:
    class BodyInferencer;
    NodeLinks& links_;
    BodyInference infer_body_;
    std::vector<::onnx::TypeProto> outputs_;
    // Values are turned into protos only when asked for.
    mutable std::vector<std::unique_ptr<::onnx::TensorProto>> data_;
    mutable std::vector<std::unique_ptr<::onnx::TensorShapeProto>> symbolic_;
    std::vector<std::unique_ptr<::onnx::GraphInferencer>> inferencers_;
};

/// Runs the schema's inference function or, when it has none, infers through its function body. Throws what libonnx throws.
void infer_with_schema(NodeContext& context, NodeLinks& links, const ::onnx::OpSchema& schema, std::int64_t opset);

}  // namespace sluice::onnx
