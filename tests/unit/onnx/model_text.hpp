// Small models written in ONNX' own text form.
#pragma once

#include <gtest/gtest.h>
#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <format>
#include <string>
#include <string_view>

#include "sluice/onnx/import.hpp"
#include "sluice/onnx/import/parse.hpp"
#include "sluice/onnx/import/shapes.hpp"

namespace sluice::onnx {

inline ::onnx::ModelProto parse_text(const std::string& graph, int opset = 17, const std::string& functions = {}) {
    ::onnx::ModelProto model;
    const std::string text =
        std::format(R"(<ir_version: 8, opset_import: ["" : {}, "com.acme" : 1, "com.microsoft" : 1]> {} {})", opset, graph, functions);
    const auto status = ::onnx::OnnxParser::Parse(model, text.c_str());
    if (!status.IsOK()) ADD_FAILURE() << status.ErrorMessage() << " in " << text;
    return model;
}

/// An initializer whose data was cut out, as weights of published structures are.
inline ::onnx::TensorProto& add_weight(::onnx::ModelProto& model, const std::string& name, const Shape& shape,
                                       int type = ::onnx::TensorProto::FLOAT) {
    auto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const std::int64_t size : shape) tensor.add_dims(size);
    return tensor;
}

inline Result<ImportedModel> import_proto(const ::onnx::ModelProto& model, const ImportOptions& options = {}) {
    return import_bytes(model.SerializeAsString(), "test.onnx", options);
}

inline Result<ImportedModel> import_text(const std::string& graph, const ImportOptions& options = {}, int opset = 17,
                                         const std::string& functions = {}) {
    return import_proto(parse_text(graph, opset, functions), options);
}

inline ImportedModel import_good(const ::onnx::ModelProto& model) {
    auto imported = import_proto(model);
    if (!imported) {
        ADD_FAILURE() << to_text(imported.error());
        return {};
    }
    return std::move(*imported);
}
inline ImportedModel import_good(const std::string& graph, const ImportOptions& options = {}, int opset = 17) {
    auto imported = import_text(graph, options, opset);
    if (!imported) {
        ADD_FAILURE() << to_text(imported.error());
        return {};
    }
    return std::move(*imported);
}

/// The diagnostic's whole text; a failure when the import succeeds.
inline std::string error_of(const Result<ImportedModel>& imported) {
    if (imported) {
        ADD_FAILURE() << "import succeeded";
        return {};
    }
    return to_text(imported.error());
}

inline const graph::Tensor* find_tensor(const graph::Graph& graph, std::string_view name) {
    const auto found = std::ranges::find(graph.tensors(), name, &graph::Tensor::name);
    return found == graph.tensors().end() ? nullptr : &*found;
}
inline const graph::Operator* find_operator(const graph::Graph& graph, std::string_view type) {
    const auto found = std::ranges::find(graph.operators(), type, &graph::Operator::type);
    return found == graph.operators().end() ? nullptr : &*found;
}
inline const graph::Parameter* find_parameter(const graph::Graph& graph, std::string_view name) {
    const auto found = std::ranges::find(graph.parameters(), name, &graph::Parameter::name);
    return found == graph.parameters().end() ? nullptr : &*found;
}
inline Shape shape_of(const graph::Graph& graph, std::string_view name) {
    const auto* tensor = find_tensor(graph, name);
    if (!tensor) {
        ADD_FAILURE() << "no tensor '" << name << "'";
        return {-1};
    }
    EXPECT_TRUE(tensor->shape_known) << name;
    return tensor->shape;
}

}  // namespace sluice::onnx
