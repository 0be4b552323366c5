// If, Loop, Scan, SequenceMap: opaque to planning, costed by the bytes that go in and out, and by the FLOPs of their bodies where the
// shapes in the body are known. If: the branch with more FLOPs. Loop: once for each iteration when the count is a constant, else once (data
// decides). Scan: once for each element of the sequence. Nodes of a body whose shapes are unknown count nothing.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

/// Names and what is known of them: a body's own, then those of the bodies around it, then what the outermost operator captured.
struct Scope {
    std::unordered_map<std::string_view, TensorFacts> own;
    const Scope* outer = nullptr;

    [[nodiscard]] std::optional<TensorFacts> find(const std::string& name) const {
        if (name.empty()) return std::nullopt;
        for (const Scope* scope = this; scope; scope = scope->outer) {
            if (const auto found = scope->own.find(name); found != scope->own.end()) return found->second;
        }
        return TensorFacts{};
    }
};

TensorFacts facts_of(const ::onnx::TensorProto& tensor) {
    return {.type = data_type_of(tensor.data_type()).value_or(graph::DataType::other),
            .shape = {tensor.dims().begin(), tensor.dims().end()},
            .shape_known = true,
            .parameter = true,
            .value = std::nullopt};
}

TensorFacts facts_of(const ::onnx::ValueInfoProto& value) {
    TensorFacts facts;
    if (!value.type().has_tensor_type()) return facts;
    const auto& type = value.type().tensor_type();
    facts.type = data_type_of(type.elem_type()).value_or(graph::DataType::other);
    facts.shape_known = type.has_shape();
    for (const auto& dimension : type.shape().dim()) {
        facts.shape_known &= dimension.has_dim_value() && dimension.dim_value() >= 0;
        facts.shape.push_back(dimension.dim_value());
    }
    return facts;
}

/// `actual`: what the operator passes to each input of the body, for those whose shape the body does not declare.
Scope scope_of(const ::onnx::GraphProto& body, const Scope* outer, const std::vector<std::optional<TensorFacts>>& actual) {
    Scope scope{.own = {}, .outer = outer};
    for (const auto& tensor : body.initializer()) scope.own.emplace(tensor.name(), facts_of(tensor));
    for (int i = 0; i < body.input_size(); ++i) {
        TensorFacts declared = facts_of(body.input(i));
        const auto index = static_cast<std::size_t>(i);
        if (!declared.shape_known && index < actual.size() && actual[index]) declared = *actual[index];
        scope.own.emplace(body.input(i).name(), std::move(declared));
    }
    for (const auto* values : {&body.value_info(), &body.output()}) {
        for (const auto& value : *values) scope.own.emplace(value.name(), facts_of(value));
    }
    for (const auto& node : body.node()) {
        for (const auto& attribute : node.attribute()) {
            if (node.op_type() == "Constant" && node.output_size() == 1 && attribute.name() == "value")
                scope.own.insert_or_assign(node.output(0), facts_of(attribute.t()));
        }
        for (const auto& output : node.output()) scope.own.emplace(output, TensorFacts{});  // hides an outer tensor of that name
    }
    return scope;
}

struct Totals {
    double flops = 0, input_gradient = 0, weight_gradient = 0;
    double kept = 0;            // bytes
    double own_parameters = 0;  // bytes of the initializers in the bodies; one body holds them once, however often it runs

    void add(const Totals& other, double times) {
        flops += times * other.flops;
        input_gradient += times * other.input_gradient;
        weight_gradient += times * other.weight_gradient;
        kept += times * other.kept;
        own_parameters += other.own_parameters;
    }
};

Totals total_of_bodies(const Node& node, const Scope& outer);

Totals total_of(const ::onnx::GraphProto& body, const Scope& scope, std::int64_t opset) {
    Totals totals;
    for (const auto& tensor : body.initializer()) {
        if (const auto bytes = bytes_of(facts_of(tensor))) totals.own_parameters += static_cast<double>(bytes->count);
    }
    for (const auto& inner : body.node()) {
        OperatorFacts facts;
        facts.node = &inner;
        facts.opset = opset;
        for (const auto& name : inner.input()) facts.inputs.push_back(scope.find(name));
        for (const auto& name : inner.output()) facts.outputs.push_back(scope.find(name));
        if (std::ranges::any_of(inner.attribute(), [](const auto& attribute) { return attribute.has_g(); })) {
            totals.add(total_of_bodies(Node(facts), scope), 1);
            continue;
        }
        const auto features = features_of(facts);
        totals.add({.flops = features.flops,
                    .input_gradient = features.input_gradient_flops,
                    .weight_gradient = features.weight_gradient_flops,
                    .kept = static_cast<double>(features.kept_for_backward.count)},
                   1);
    }
    return totals;
}

Totals total_of_if(const Node& node, const Scope& outer) {
    Totals heavier;
    double parameters = 0;
    for (const std::string_view branch : {"then_branch", "else_branch"}) {
        const auto* body = node.body(branch);
        if (!body) continue;
        const Totals totals = total_of(*body, scope_of(*body, &outer, {}), node.facts().opset);
        parameters += totals.own_parameters;
        if (totals.flops > heavier.flops) heavier = totals;
    }
    heavier.own_parameters = parameters;  // both branches' are stored
    return heavier;
}

/// Inputs: trip count, condition, loop-carried values; the body's inputs: iteration number, condition, loop-carried values.
Totals total_of_loop(const Node& node, const ::onnx::GraphProto& body, const Scope& outer) {
    const Scope scope = scope_of(body, &outer, node.facts().inputs);
    Totals totals;
    totals.add(total_of(body, scope, node.facts().opset), static_cast<double>(std::max<std::int64_t>(node.constant(0).value_or(1), 0)));
    return totals;
}

/// Inputs: states, then sequences, of which the body sees one slice a step.
Totals total_of_scan(const Node& node, const ::onnx::GraphProto& body, const Scope& outer) {
    const auto sequences = static_cast<std::size_t>(
        std::clamp<std::int64_t>(node.integer("num_scan_inputs", 0), 0, static_cast<std::int64_t>(node.input_count())));
    const auto axes = node.integers("scan_input_axes");
    auto actual = node.facts().inputs;
    double steps = sequences > 0 ? 0 : 1;
    for (std::size_t i = 0; i < sequences; ++i) {
        auto& slice = actual[actual.size() - sequences + i];
        if (!slice || slice->shape.empty()) continue;
        const auto rank = static_cast<std::int64_t>(slice->shape.size());
        std::int64_t axis = i < axes.size() ? axes[i] : 0;
        if (axis < 0) axis += rank;
        if (axis < 0 || axis >= rank) continue;
        steps = static_cast<double>(slice->shape[static_cast<std::size_t>(axis)]);
        slice->shape.erase(slice->shape.begin() + axis);
        slice->parameter = false;
    }
    Totals totals;
    totals.add(total_of(body, scope_of(body, &outer, actual), node.facts().opset), steps);
    return totals;
}

Totals total_of_bodies(const Node& node, const Scope& outer) {
    const std::string_view type = node.facts().node->op_type();
    if (type == "If") return total_of_if(node, outer);
    const auto* body = node.body("body");
    if (!body) return {};
    if (type == "Loop") return total_of_loop(node, *body, outer);
    if (type == "Scan") return total_of_scan(node, *body, outer);
    return total_of(*body, scope_of(*body, &outer, {}), node.facts().opset);  // SequenceMap: one element of unknown many
}

void control(const Node& node, const Rule&, Work& work) {
    const auto& facts = node.facts();
    Scope captured;
    for (std::size_t i = 0; i < std::min(facts.captured.size(), facts.captured_names.size()); ++i)
        captured.own.emplace(facts.captured_names[i], facts.captured[i]);
    const Totals totals = total_of_bodies(node, captured);
    work.features.flops = totals.flops;
    work.features.input_gradient_flops = totals.input_gradient;
    work.features.weight_gradient_flops = totals.weight_gradient;
    work.kept_bytes = totals.kept;
    const double parameters = static_cast<double>(work.features.parameters_read.count) + totals.own_parameters;
    if (parameters < 0x1p62) work.features.parameters_read = Bytes{static_cast<std::int64_t>(parameters)};
}

}  // namespace

std::span<const Rule> control_rules() {
    constexpr auto control_class = graph::OperatorClass::control;
    static constexpr Rule kRules[] = {
        {.type = "If", .operator_class = control_class, .apply = control},
        {.type = "Loop", .operator_class = control_class, .apply = control},
        {.type = "Scan", .operator_class = control_class, .apply = control},
        {.type = "SequenceMap", .operator_class = control_class, .apply = control},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
