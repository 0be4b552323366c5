#include "sluice/onnx/zoo/serialise.hpp"

#include <onnx/onnx_pb.h>

#include <limits>

#include "sluice/base/units.hpp"
#include "sluice/onnx/zoo/fill.hpp"

namespace sluice::onnx::zoo {

namespace {
constexpr std::int64_t kPage = 4096;
constexpr std::int64_t kLargestMessage = std::numeric_limits<std::int32_t>::max();

int onnx_type(Element element) {
    switch (element) {
        case Element::float32:
            return ::onnx::TensorProto::FLOAT;
        case Element::int64:
            return ::onnx::TensorProto::INT64;
        case Element::boolean:
            return ::onnx::TensorProto::BOOL;
    }
    return ::onnx::TensorProto::UNDEFINED;
}

void set_value(::onnx::ValueInfoProto& target, const Value& value) {
    target.set_name(value.name);
    auto& type = *target.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx_type(value.element));
    auto& shape = *type.mutable_shape();  // present even for a scalar
    for (std::int64_t size : value.shape) shape.add_dim()->set_dim_value(size);
}

struct SetAttribute {
    ::onnx::AttributeProto& target;
    void operator()(std::int64_t value) const {
        target.set_type(::onnx::AttributeProto::INT);
        target.set_i(value);
    }
    void operator()(float value) const {
        target.set_type(::onnx::AttributeProto::FLOAT);
        target.set_f(value);
    }
    void operator()(std::string_view value) const {
        target.set_type(::onnx::AttributeProto::STRING);
        target.set_s(std::string(value));
    }
    void operator()(const std::vector<std::int64_t>& values) const {
        target.set_type(::onnx::AttributeProto::INTS);
        target.mutable_ints()->Add(values.begin(), values.end());
    }
};

void set_node(::onnx::NodeProto& target, const Node& node) {
    target.set_op_type(std::string(node.type));
    target.set_name(node.name);
    for (const std::string& name : node.inputs) target.add_input(name);
    for (const std::string& name : node.outputs) target.add_output(name);
    for (const Attribute& attribute : node.attributes) {
        auto& to = *target.add_attribute();
        to.set_name(std::string(attribute.name));
        std::visit(SetAttribute{to}, attribute.value);
    }
}

void set_external(::onnx::TensorProto& target, std::string_view key, const std::string& value) {
    auto& entry = *target.add_external_data();
    entry.set_key(std::string(key));
    entry.set_value(value);
}

[[noreturn]] void refuse_size(const Model& model, std::int64_t bytes) {
    refuse("'" + model.name + "' of these sizes takes " + to_text(Bytes{bytes}) + " as one ONNX message, protobuf holds 2 GiB",
           "write it to a file (weights go beside it), leave the weights out, or make its sizes smaller");
}
}  // namespace

DataLayout external_layout(const Model& model) {
    DataLayout layout;
    layout.offsets.reserve(model.initializers.size());
    for (const Initializer& initializer : model.initializers) {
        const std::int64_t bytes = bytes_of(initializer.value);
        if (bytes <= kLargestSmallInitializer) {
            layout.offsets.emplace_back();
            continue;
        }
        const auto rounded = checked_add(layout.bytes, kPage - 1);
        const auto end = rounded ? checked_add(*rounded / kPage * kPage, bytes) : std::nullopt;
        if (!end) refuse("the parameters of '" + model.name + "' hold more than 2^63 bytes in total", "make its sizes smaller");
        layout.offsets.emplace_back(*rounded / kPage * kPage);
        layout.bytes = *end;
    }
    return layout;
}

DataLayout embedded_layout(const Model& model) {
    if (model.initializer_bytes > kLargestMessage) refuse_size(model, model.initializer_bytes);
    return {std::vector<std::optional<std::int64_t>>(model.initializers.size()), 0};
}

std::string serialise(const Model& model, const DataLayout& layout, const std::string& location, std::uint64_t seed) {
    ::onnx::ModelProto proto;
    proto.set_ir_version(8);
    proto.set_producer_name("sluice");
    proto.set_doc_string(model.description);
    auto& opset = *proto.add_opset_import();
    opset.set_domain("");
    opset.set_version(17);
    auto& graph = *proto.mutable_graph();
    graph.set_name(model.name);
    for (const Value& value : model.inputs) set_value(*graph.add_input(), value);
    std::unordered_set<std::string_view> outputs;
    for (const Value& value : model.outputs) {
        set_value(*graph.add_output(), value);
        outputs.insert(value.name);
    }
    for (const Value& value : model.intermediates) {
        if (!outputs.contains(value.name)) set_value(*graph.add_value_info(), value);
    }
    graph.mutable_node()->Reserve(static_cast<int>(model.nodes.size()));
    for (const Node& node : model.nodes) set_node(*graph.add_node(), node);
    for (std::size_t i = 0; i < model.initializers.size(); ++i) {
        const Initializer& initializer = model.initializers[i];
        auto& tensor = *graph.add_initializer();
        tensor.set_name(initializer.value.name);
        tensor.set_data_type(onnx_type(initializer.value.element));
        for (std::int64_t size : initializer.value.shape) tensor.add_dims(size);
        const std::int64_t bytes = bytes_of(initializer.value);
        if (layout.offsets[i]) {
            tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
            set_external(tensor, "location", location);
            set_external(tensor, "offset", std::to_string(*layout.offsets[i]));
            set_external(tensor, "length", std::to_string(bytes));
        } else {
            std::string& data = *tensor.mutable_raw_data();
            data.resize(static_cast<std::size_t>(bytes));
            DataSource(initializer, seed, i).next(data);
        }
    }
    const auto bytes = static_cast<std::int64_t>(proto.ByteSizeLong());
    if (bytes > kLargestMessage) refuse_size(model, bytes);
    std::string text;
    text.reserve(static_cast<std::size_t>(bytes));
    // No map fields in ONNX messages: equal messages have equal bytes.
    if (!proto.SerializeToString(&text)) refuse("protobuf cannot serialise '" + model.name + "'", "");
    return text;
}

}  // namespace sluice::onnx::zoo
