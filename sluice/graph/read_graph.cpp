#include <algorithm>
#include <format>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "sluice/graph/json_fields.hpp"
#include "sluice/graph/serialise.hpp"

namespace sluice::graph {

namespace {

using json::Node;

/// Ids of things by their unique name.
template <typename Id>
using Names = std::unordered_map<std::string, Id>;

/// A name out of `parse`'s vocabulary.
template <typename Enum>
Enum word(Fields& fields, std::string_view key, std::optional<Enum> (*parse)(std::string_view), Enum fallback) {
    const auto text = fields.nullable<std::string>(key, &Node::as_string);
    if (!text) return fallback;
    if (const auto value = parse(*text)) return *value;
    std::vector<std::string_view> known;
    for (std::size_t i = 0; i < (std::is_same_v<Enum, DataType> ? kDataTypes : kOperatorClasses); ++i)
        known.push_back(to_text(static_cast<Enum>(i)));
    Diagnostic diagnostic =
        input_error(std::format("'{}' is no {}", *text, std::is_same_v<Enum, DataType> ? "data type" : "operator class"));
    const std::string_view near = nearest_match(*text, known);
    if (!near.empty()) diagnostic.help = std::format("did you mean '{}'?", near);
    fields.refuse(std::move(diagnostic).at(fields.where(key)));
    return fallback;
}

std::vector<std::int64_t> shape_of(Fields& fields, bool known) {
    std::vector<std::int64_t> shape;
    for (const Node& item : fields.items("shape")) {
        const auto extent = item.as_int();
        if (!extent) return fields.refuse(extent.error()), shape;
        if (known && *extent < 0)
            return fields.refuse(input_error(std::format("dimension {} is negative", *extent)).at(item.where())), shape;
        shape.push_back(*extent);
    }
    return shape;
}

template <typename Id>
void enter_name(Fields& fields, Names<Id>& names, const std::string& name, Id id) {
    if (!fields.good()) return;
    if (name.empty())
        return fields.refuse(input_error("a name is empty: operators refer to tensors and parameters by name").at(fields.where("name")));
    if (!names.emplace(name, id).second)
        fields.refuse(
            input_error(std::format("the name '{}' is there twice", name)).at(fields.where("name")).fix("give each its own name"));
}

template <typename Id>
std::vector<Id> references(Fields& fields, std::string_view key, const Names<Id>& names, std::string_view what) {
    std::vector<Id> ids;
    for (const Node& item : fields.items(key)) {
        const auto name = item.as_string();
        if (!name) return fields.refuse(name.error()), ids;
        const auto found = names.find(*name);
        if (found == names.end()) {
            Diagnostic diagnostic = input_error(std::format("no {} is named '{}'", what, *name)).at(item.where());
            std::vector<std::string> known;
            for (const auto& entry : names) known.push_back(entry.first);
            std::ranges::sort(known);
            if (const std::string near = nearest_match(*name, known); !near.empty())
                diagnostic.help = std::format("did you mean '{}'?", near);
            return fields.refuse(std::move(diagnostic)), ids;
        }
        ids.push_back(found->second);
    }
    return ids;
}

Features features_of(const Node& node, Fields& outer) {
    Fields fields(node, {"compute_type", "flops", "rows", "read_bytes", "written_bytes", "parameters_read_bytes", "input_gradient_flops",
                         "weight_gradient_flops", "kept_for_backward_bytes"});
    const auto bytes = [&](std::string_view key) { return fields.optional<Bytes>(key, &Node::as_bytes, {}); };
    const auto flops = [&](std::string_view key) {
        const double value = fields.optional<double>(key, &Node::as_number, 0);
        if (value < 0) fields.refuse(input_error(std::format("{} is {}: a count is not negative", key, value)).at(fields.where(key)));
        return value;
    };
    Features features;
    features.compute_type = word(fields, "compute_type", &parse_data_type, features.compute_type);
    features.flops = flops("flops");
    features.rows = fields.optional<std::int64_t>("rows", &Node::as_count, 0);
    features.read = bytes("read_bytes");
    features.written = bytes("written_bytes");
    features.parameters_read = bytes("parameters_read_bytes");
    features.input_gradient_flops = flops("input_gradient_flops");
    features.weight_gradient_flops = flops("weight_gradient_flops");
    features.kept_for_backward = bytes("kept_for_backward_bytes");
    if (!fields.good()) outer.refuse(fields.fault().error());
    return features;
}

class Reader {
public:
    explicit Reader(const Node& document)
        : document_(document),
          top_(document, {"format", "name", "assumptions", "given_costs", "tensors", "parameters", "operators"}),
          builder_(top_.required<std::string>("name", &Node::as_string)) {}

    Result<Graph> read() {
        for (const Node& item : top_.items("assumptions")) {
            auto text = item.as_string();
            if (!text) return std::unexpected(std::move(text.error()));
            builder_.add_assumption(std::move(*text));
        }
        if (const Node* costs = document_.find("given_costs"))
            if (auto done = read_costs(*costs); !done) return std::unexpected(std::move(done.error()));
        for (const char* key : {"tensors", "operators"}) (void)top_.required<const json::Array*>(key, &Node::as_array);
        for (const auto& [key, read] :
             {std::pair{"tensors", &Reader::read_tensor}, {"parameters", &Reader::read_parameter}, {"operators", &Reader::read_operator}})
            for (const Node& item : top_.items(key))
                if (auto done = (this->*read)(item); !done) return std::unexpected(std::move(done.error()));
        if (!top_.good()) return top_.fault();
        if (costs_) builder_.set_given_costs(std::move(*costs_));
        auto graph = std::move(builder_).build();
        if (!graph && graph.error().where.file.empty()) graph.error().where = document_.where();
        return graph;
    }

private:
    Result<void> read_costs(const Node& node) {
        Fields fields(node, {"devices", "link_bytes_per_second"});
        costs_.emplace();
        for (const Node& item : fields.items("devices")) {
            Fields device(item, {"name", "count", "memory_bytes"});
            GivenCosts::DeviceClass& added = costs_->classes.emplace_back();
            added.name = device.required<std::string>("name", &Node::as_string);
            added.count = device.required<std::int64_t>("count", &Node::as_count);
            added.memory = device.nullable<Bytes>("memory_bytes", &Node::as_bytes);
            enter_name(device, devices_, added.name, costs_->classes.size() - 1);
            if (!device.good()) return device.fault();
        }
        if (const auto rate = fields.nullable<std::int64_t>("link_bytes_per_second", &Node::as_count)) {
            if (*rate == 0) fields.refuse(input_error("a link needs a rate above 0").at(fields.where("link_bytes_per_second")));
            costs_->link = ByteRate{*rate};
        }
        if (!fields.good()) return fields.fault();
        return {};
    }

    Result<void> read_tensor(const Node& node) {
        Fields fields(node, {"name", "type", "shape", "shape_known", "shape_assumed", "bytes", "model_output", "transfer_ps"});
        Tensor tensor;
        tensor.name = fields.required<std::string>("name", &Node::as_string);
        tensor.type = word(fields, "type", &parse_data_type, tensor.type);
        tensor.shape_known = fields.optional<bool>("shape_known", &Node::as_bool, node.find("shape") != nullptr);
        tensor.shape = shape_of(fields, tensor.shape_known);
        tensor.shape_assumed = fields.optional<bool>("shape_assumed", &Node::as_bool, false);
        tensor.bytes = fields.required<Bytes>("bytes", &Node::as_bytes);
        tensor.model_output = fields.optional<bool>("model_output", &Node::as_bool, false);
        const auto transfer = fields.nullable<Duration>("transfer_ps", &Node::as_duration);
        if (transfer && !costs_)
            fields.refuse(input_error("a tensor has 'transfer_ps', but the file has no 'given_costs'").at(fields.where("transfer_ps")));
        enter_name(fields, tensors_, tensor.name, TensorId(tensors_.size()));
        if (!fields.good()) return fields.fault();
        if (transfer) costs_->transfer.push_back(*transfer);
        if (costs_ && !costs_->transfer.empty() && costs_->transfer.size() != tensors_.size())
            return fail(input_error("'transfer_ps' is given for some tensors only: give it for all or for none").at(node.where()));
        builder_.add_tensor(std::move(tensor));
        return {};
    }

    Result<void> read_parameter(const Node& node) {
        Fields fields(node, {"name", "type", "shape", "bytes"});
        Parameter parameter;
        parameter.name = fields.required<std::string>("name", &Node::as_string);
        parameter.type = word(fields, "type", &parse_data_type, parameter.type);
        parameter.shape = shape_of(fields, true);
        parameter.bytes = fields.required<Bytes>("bytes", &Node::as_bytes);
        enter_name(fields, parameters_, parameter.name, ParameterId(parameters_.size()));
        if (!fields.good()) return fields.fault();
        builder_.add_parameter(std::move(parameter));
        return {};
    }

    Result<void> read_operator(const Node& node) {
        Fields fields(node, {"name", "type", "class", "inputs", "outputs", "parameters", "features", "replicated", "source", "colour",
                             "time_ps", "backward_ps"});
        Operator op;
        op.name = fields.optional<std::string>("name", &Node::as_string, {});
        op.type = fields.optional<std::string>("type", &Node::as_string, {});
        if (const Node* features = node.find("features")) op.features = features_of(*features, fields);
        op.features.operator_class = word(fields, "class", &parse_operator_class, OperatorClass::unknown);
        op.replicated = fields.optional<bool>("replicated", &Node::as_bool, false);
        if (const auto source = fields.nullable<std::int64_t>("source", &Node::as_count)) op.source = *source;
        if (const auto colour = fields.nullable<std::int64_t>("colour", &Node::as_count)) {
            op.colour = static_cast<std::uint32_t>(*colour);
            if (*op.colour != *colour)
                fields.refuse(input_error(std::format("colour {} is beyond 2^32 - 1", *colour)).at(fields.where("colour")));
        }
        const auto inputs = references(fields, "inputs", tensors_, "tensor");
        const auto outputs = references(fields, "outputs", tensors_, "tensor");
        const auto parameters = references(fields, "parameters", parameters_, "parameter");
        if (const Node* times = node.find("time_ps"))
            read_times(*times, fields, [](auto& device, Duration time) { device.time.emplace_back(time); });
        if (const Node* times = node.find("backward_ps"))
            read_times(*times, fields, [](auto& device, Duration time) { device.backward.push_back(time); });
        if (!fields.good()) return fields.fault();
        const OperatorId id = builder_.add_operator(std::move(op), inputs, outputs, parameters);
        builder_.set_location(id, node.where());
        if (!costs_) return {};
        for (auto& device : costs_->classes) {
            device.time.resize(id.index() + 1);  // a class that was not named cannot run the operator
            if (!device.backward.empty() && device.backward.size() != id.index() + 1)
                return fail(input_error(std::format("'backward_ps' is given for some operators of '{}' only: give it for all or for none",
                                                    device.name))
                                .at(node.where()));
        }
        return {};
    }

    /// Of the operator about to be added, by device class.
    template <typename Take>
    void read_times(const Node& times, Fields& fields, const Take& take) {
        const auto members = times.as_object();
        if (!members) return fields.refuse(members.error());
        for (const auto& [name, value] : **members) {
            const auto device = devices_.find(name);
            if (device == devices_.end())
                return fields.refuse(input_error(std::format("no device class is named '{}'", name))
                                         .at(value.where())
                                         .fix("list it in given_costs.devices"));
            const auto time = value.as_duration();
            if (!time) return fields.refuse(time.error());
            take(costs_->classes[device->second], *time);
        }
    }

    const Node& document_;
    Fields top_;
    GraphBuilder builder_;
    std::optional<GivenCosts> costs_;
    Names<std::size_t> devices_;  // index among the classes
    Names<TensorId> tensors_;
    Names<ParameterId> parameters_;
};

}  // namespace

Result<Graph> read_graph(const json::Node& document) {
    if (auto right = document.expect_format(kGraphFormat); !right) return std::unexpected(std::move(right.error()));
    return Reader(document).read();
}

}  // namespace sluice::graph
