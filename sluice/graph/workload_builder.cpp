#include "sluice/graph/workload_builder.hpp"

#include <format>

namespace sluice::graph {

Result<std::size_t> WorkloadBuilder::add_node(const std::string& id, std::string name, Bytes parameters, Location where) {
    if (!numbers_.emplace(id, nodes_.size()).second)
        return fail(input_error(std::format("node '{}' is there twice", id)).at(std::move(where)));
    if (name.empty()) name = "node " + id;
    while (!names_.insert(name).second) name += "#" + id;
    Node& added = nodes_.emplace_back();
    added.op.name = std::move(name);
    added.op.source = static_cast<std::int64_t>(nodes_.size() - 1);
    added.parameters = parameters;
    added.where = std::move(where);
    return nodes_.size() - 1;
}

Result<std::size_t> WorkloadBuilder::node(const std::string& id, const Location& where) const {
    if (const auto found = numbers_.find(id); found != numbers_.end()) return found->second;
    return fail(input_error(std::format("an edge names node '{}', which is not there", id)).at(where));
}

Result<Graph> WorkloadBuilder::build(const std::vector<WorkloadOutput>& outputs, GivenCosts costs, const Location& file) && {
    std::vector<std::vector<TensorId>> read(nodes_.size()), made(nodes_.size());
    std::unordered_set<std::string> names;
    for (const WorkloadOutput& output : outputs) {
        Tensor tensor;
        tensor.name = nodes_[output.producer].op.name;
        if (!made[output.producer].empty()) tensor.name += std::format(":{}", made[output.producer].size());
        while (!names.insert(tensor.name).second) tensor.name += '_';
        tensor.type = DataType::other;
        tensor.bytes = output.bytes;
        tensor.model_output = output.model_output;
        const TensorId t = builder_.add_tensor(std::move(tensor));
        made[output.producer].push_back(t);
        for (std::size_t reader : output.readers) read[reader].push_back(t);
    }
    for (std::size_t v = 0; v < nodes_.size(); ++v) {
        std::vector<ParameterId> own;
        if (nodes_[v].parameters.count > 0)
            own.push_back(
                builder_.add_parameter({.name = nodes_[v].op.name, .type = DataType::other, .shape = {}, .bytes = nodes_[v].parameters}));
        const OperatorId id = builder_.add_operator(std::move(nodes_[v].op), read[v], made[v], own);
        builder_.set_location(id, std::move(nodes_[v].where));
    }
    builder_.set_given_costs(std::move(costs));
    auto graph = std::move(builder_).build();
    if (!graph && graph.error().where.file.empty()) graph.error().where = file;
    return graph;
}

std::int64_t scaled_member(Fields& fields, std::string_view key, int power, Rounding rounding) {
    const double value = fields.required<double>(key, &json::Node::as_number);
    if (const auto number = scaled(value, power, rounding)) return *number;
    fields.refuse(
        input_error(std::format("'{}' is {}: it must be at least 0 and below 2^63 {}", key, value, power == 0 ? "bytes" : "picoseconds"))
            .at(fields.where(key)));
    return 0;
}

}  // namespace sluice::graph
