#include "sluice/onnx/import/node_context.hpp"

#include <onnx/defs/function.h>
#include <onnx/shape_inference/implementation.h>

namespace sluice::onnx {

class NodeContext::BodyInferencer final : public ::onnx::GraphInferencer {
public:
    BodyInferencer(Scope& scope, const BodyInference& infer) : scope_(scope), infer_(infer) {}
    std::vector<const ::onnx::TypeProto*> doInferencing(const std::vector<const ::onnx::TypeProto*>& input_types,
                                                        const std::vector<const ::onnx::TensorProto*>&) override {
        return infer_(scope_, input_types);
    }

private:
    Scope& scope_;
    const BodyInference& infer_;
};

NodeContext::NodeContext(NodeLinks& links, BodyInference infer_body)
    : links_(links),
      infer_body_(std::move(infer_body)),
      outputs_(links.outputs.size()),
      data_(links.inputs.size()),
      symbolic_(links.inputs.size()) {}

const ::onnx::AttributeProto* NodeContext::getAttribute(const std::string& name) const {
    for (const auto& attribute : links_.node->attribute()) {
        if (attribute.name() == name) return &attribute;
    }
    return nullptr;
}

bool NodeContext::hasInput(std::size_t index) const { return index < links_.inputs.size() && links_.inputs[index] != nullptr; }

const ::onnx::TypeProto* NodeContext::getInputType(std::size_t index) const {
    if (index >= links_.inputs.size()) throw ::onnx::InferenceError("input " + std::to_string(index) + " is out of range");
    // An unknown type is an empty one, never null: not every inference function checks.
    return links_.inputs[index] ? &links_.inputs[index]->type : nullptr;
}

const ::onnx::TensorProto* NodeContext::getInputData(std::size_t index) const {
    if (index >= links_.inputs.size()) throw ::onnx::InferenceError("input " + std::to_string(index) + " is out of range");
    const TensorInfo* input = links_.inputs[index];
    if (!input || !input->value || !input->value->all_known()) return nullptr;
    if (!data_[index]) {
        data_[index] = std::make_unique<::onnx::TensorProto>();
        write_tensor(*input->value, *data_[index]);
    }
    return data_[index].get();
}

const ::onnx::TensorShapeProto* NodeContext::getSymbolicInput(std::size_t index) const {
    if (index >= links_.inputs.size()) throw ::onnx::InferenceError("input " + std::to_string(index) + " is out of range");
    const TensorInfo* input = links_.inputs[index];
    if (!input || !input->value || input->value->is_real() || input->value->shape().size() > 1) return nullptr;
    if (!symbolic_[index]) {
        symbolic_[index] = std::make_unique<::onnx::TensorShapeProto>();
        for (std::size_t i = 0; i < input->value->size(); ++i) {
            auto* size = symbolic_[index]->add_dim();
            if (const Number number = (*input->value)[i]; number.known) size->set_dim_value(number.integer);
        }
    }
    return symbolic_[index].get();
}

::onnx::TypeProto* NodeContext::getOutputType(std::size_t index) {
    if (index >= outputs_.size()) throw ::onnx::InferenceError("output " + std::to_string(index) + " is out of range");
    return &outputs_[index];
}

::onnx::GraphInferencer* NodeContext::getGraphAttributeInferencer(const std::string& name) {
    for (Body& body : links_.bodies) {
        if (body.attribute != name) continue;
        inferencers_.push_back(std::make_unique<BodyInferencer>(*body.scope, infer_body_));
        return inferencers_.back().get();
    }
    throw ::onnx::InferenceError("there is no body '" + name + "'");
}

namespace {

/// libonnx takes the number of kernel sizes from the weights and walks arrays of the input's rank with it, unchecked.
void refuse_other_rank(const NodeContext& context, const std::string& type) {
    const std::size_t weights = type == "QLinearConv"                                                                        ? 3
                                : type == "Conv" || type == "ConvTranspose" || type == "ConvInteger" || type == "DeformConv" ? 1
                                                                                                                             : 0;
    if (weights == 0 || !::onnx::hasInputShape(context, 0) || !::onnx::hasInputShape(context, weights)) return;
    const int input = context.getInputType(0)->tensor_type().shape().dim_size();
    const int weight = context.getInputType(weights)->tensor_type().shape().dim_size();
    if (input != weight)
        throw ::onnx::InferenceError("the input has rank " + std::to_string(input) + ", the weights " + std::to_string(weight));
}

/// libonnx counts from this axis without a look at the rank.
void refuse_axis_out_of_range(const NodeContext& context, const std::string& type) {
    const ::onnx::AttributeProto* axis = type == "LayerNormalization" ? context.getAttribute("axis") : nullptr;
    if (!axis || !::onnx::hasInputShape(context, 0)) return;
    const int rank = context.getInputType(0)->tensor_type().shape().dim_size();
    if (axis->i() < -rank || axis->i() >= rank)
        throw ::onnx::InferenceError("axis " + std::to_string(axis->i()) + " of an input of rank " + std::to_string(rank));
}

}  // namespace

void infer_with_schema(NodeContext& context, NodeLinks& links, const ::onnx::OpSchema& schema, std::int64_t opset) {
    const int version = static_cast<int>(opset);
    if (schema.has_type_and_shape_inference_function()) {
        refuse_other_rank(context, links.node->op_type());
        refuse_axis_out_of_range(context, links.node->op_type());
        schema.GetTypeAndShapeInferenceFunction()(context);
    } else if (schema.HasFunction()) {
        if (const auto* function = schema.GetFunction(version)) {
            ::onnx::shape_inference::InferShapeForFunctionNode(*function, ::onnx::OpSchemaRegistry::Instance(), context);
        }
    } else if (schema.HasContextDependentFunction()) {
        std::vector<::onnx::TypeProto> types;
        for (const TensorInfo* input : links.inputs) types.push_back(input ? input->type : ::onnx::TypeProto{});
        const ::onnx::FunctionBodyBuildContextImpl build(*links.node, types);
        ::onnx::FunctionProto function;
        if (schema.BuildContextDependentFunction(build, function, version)) {
            ::onnx::shape_inference::InferShapeForFunctionNode(function, ::onnx::OpSchemaRegistry::Instance(), context);
        }
    }
}

}  // namespace sluice::onnx
