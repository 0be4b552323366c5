#include <nlohmann/json.hpp>

#include "sluice/graph/serialise.hpp"

namespace sluice::graph {

namespace {

using Json = nlohmann::ordered_json;

Json features_json(const Features& features) {
    const Features plain;
    Json json = Json::object();
    const auto add = [&](const char* key, auto value, auto usual) {
        if (value != usual) json[key] = value;
    };
    if (features.compute_type != plain.compute_type) json["compute_type"] = to_text(features.compute_type);
    add("flops", features.flops, plain.flops);
    add("rows", features.rows, plain.rows);
    add("read_bytes", features.read.count, plain.read.count);
    add("written_bytes", features.written.count, plain.written.count);
    add("parameters_read_bytes", features.parameters_read.count, plain.parameters_read.count);
    add("input_gradient_flops", features.input_gradient_flops, plain.input_gradient_flops);
    add("weight_gradient_flops", features.weight_gradient_flops, plain.weight_gradient_flops);
    add("kept_for_backward_bytes", features.kept_for_backward.count, plain.kept_for_backward.count);
    return json;
}

template <typename Id>
Json names_json(const Graph& graph, std::span<const Id> ids) {
    Json names = Json::array();
    for (Id id : ids) names.push_back(graph[id].name);
    return names;
}

Json tensor_json(const Graph& graph, TensorId id) {
    const Tensor& tensor = graph[id];
    Json json{{"name", tensor.name}, {"type", to_text(tensor.type)}};
    if (tensor.shape_known || !tensor.shape.empty()) json["shape"] = tensor.shape;
    if (!tensor.shape_known && !tensor.shape.empty()) json["shape_known"] = false;
    if (tensor.shape_assumed) json["shape_assumed"] = true;
    json["bytes"] = tensor.bytes.count;
    if (tensor.model_output) json["model_output"] = true;
    const auto& costs = graph.given_costs();
    if (costs && !costs->transfer.empty()) json["transfer_ps"] = costs->transfer[id.index()].count();
    return json;
}

Json operator_json(const Graph& graph, OperatorId id) {
    const Operator& op = graph[id];
    Json json = Json::object();
    if (!op.name.empty()) json["name"] = op.name;
    json["type"] = op.type;
    if (op.features.operator_class != OperatorClass::unknown) json["class"] = to_text(op.features.operator_class);
    json["inputs"] = names_json(graph, graph.inputs(id));
    json["outputs"] = names_json(graph, graph.outputs(id));
    if (!graph.parameters(id).empty()) json["parameters"] = names_json(graph, graph.parameters(id));
    if (Json features = features_json(op.features); !features.empty()) json["features"] = std::move(features);
    if (op.replicated) json["replicated"] = true;
    if (op.source != Operator{}.source) json["source"] = op.source;
    if (op.colour) json["colour"] = *op.colour;
    if (const auto& costs = graph.given_costs()) {
        Json times = Json::object(), backward = Json::object();
        for (const auto& device : costs->classes) {
            if (const auto& time = device.time[id.index()]) times[device.name] = time->count();
            if (!device.backward.empty()) backward[device.name] = device.backward[id.index()].count();
        }
        json["time_ps"] = std::move(times);
        if (!backward.empty()) json["backward_ps"] = std::move(backward);
    }
    return json;
}

Json costs_json(const GivenCosts& costs) {
    Json devices = Json::array();
    for (const auto& device : costs.classes) {
        Json json{{"name", device.name}, {"count", device.count}};
        if (device.memory) json["memory_bytes"] = device.memory->count;
        devices.push_back(std::move(json));
    }
    Json json{{"devices", std::move(devices)}};
    if (costs.link) json["link_bytes_per_second"] = costs.link->bytes_per_second;
    return json;
}

}  // namespace

std::string to_json_text(const Graph& graph) {
    Json json{{"format", kGraphFormat}, {"name", graph.name()}};
    if (!graph.assumptions().empty()) json["assumptions"] = Json(graph.assumptions());
    if (graph.given_costs()) json["given_costs"] = costs_json(*graph.given_costs());
    Json tensors = Json::array(), parameters = Json::array(), operators = Json::array();
    for (std::size_t t = 0; t < graph.tensor_count(); ++t) tensors.push_back(tensor_json(graph, TensorId(t)));
    for (const Parameter& p : graph.parameters())
        parameters.push_back({{"name", p.name}, {"type", to_text(p.type)}, {"shape", p.shape}, {"bytes", p.bytes.count}});
    for (std::size_t v = 0; v < graph.operator_count(); ++v) operators.push_back(operator_json(graph, OperatorId(v)));
    json["tensors"] = std::move(tensors);
    json["parameters"] = std::move(parameters);
    json["operators"] = std::move(operators);
    return json::to_file_text(json);
}

}  // namespace sluice::graph
