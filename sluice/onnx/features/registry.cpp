#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <ranges>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx {

namespace features {

namespace {

std::string_view standard(std::string_view domain) { return domain == "ai.onnx" ? std::string_view{} : domain; }

using Table = std::unordered_map<std::string_view, const Rule*>;  // of one domain

const Table& table_of(std::string_view domain) {
    static const auto tables = [] {
        std::unordered_map<std::string_view, Table> made;
        for (const auto family : {matrix_rules(), attention_rules(), recurrent_rules(), convolution_rules(), pooling_rules(),
                                  normalisation_rules(), reduction_rules(), elementwise_rules(), lookup_rules(), movement_rules(),
                                  resample_rules(), signal_rules(), control_rules(), quantised_rules(), classical_rules()}) {
            for (const Rule& rule : family) made[rule.domain].emplace(rule.type, &rule);
        }
        return made;
    }();
    static const Table none;
    const auto found = tables.find(domain);
    return found == tables.end() ? none : found->second;
}

/// Adds the bytes of distinct tensors; false when one is unknown or the sum leaves int64.
class ByteSum {
public:
    bool add(const TensorFacts& tensor, std::string_view name) {
        if (!name.empty() && !seen_.insert(name).second) return true;
        const auto bytes = bytes_of(tensor);
        return bytes && add(*bytes);
    }
    bool add(Bytes bytes) {
        const auto sum = checked_add(total_.count, bytes.count);
        if (sum) total_ = Bytes{*sum};
        return sum.has_value();
    }
    [[nodiscard]] Bytes total() const { return total_; }

private:
    Bytes total_;
    std::unordered_set<std::string_view> seen_;
};

/// Arithmetic is done in the first real type among the inputs, else the first input's, else the output's.
graph::DataType compute_type_of(const Node& node) {
    for (const auto& input : node.facts().inputs) {
        if (input && is_real(input->type)) return input->type;
    }
    for (std::size_t i = 0; i < node.input_count(); ++i) {
        if (node.input(i)) return node.input(i)->type;
    }
    return node.output(0) ? node.output(0)->type : graph::DataType::other;
}

bool fill_bytes(const Node& node, graph::Features& features) {
    ByteSum read, written, parameters;
    const auto add_read = [&](const TensorFacts& tensor, std::string_view name) {
        return (tensor.parameter ? parameters : read).add(tensor, name);
    };
    for (std::size_t i = 0; i < node.input_count(); ++i) {
        if (node.input(i) && !add_read(*node.input(i), node.input_name(i))) return false;
    }
    const auto& facts = node.facts();
    for (std::size_t i = 0; i < facts.captured.size(); ++i) {
        if (!add_read(facts.captured[i], i < facts.captured_names.size() ? std::string_view(facts.captured_names[i]) : std::string_view{}))
            return false;
    }
    for (std::size_t i = 0; i < node.output_count(); ++i) {
        if (node.output(i) && !written.add(*node.output(i), {})) return false;
    }
    features.read = read.total();
    features.written = written.total();
    features.parameters_read = parameters.total();
    return true;
}

/// A backward pass exists where some real output depends on something that needs a gradient.
bool has_backward(const Node& node) {
    const auto real = [](const auto& tensor) { return tensor && is_real(tensor->type); };
    if (!std::ranges::any_of(node.facts().outputs, real)) return false;
    for (std::size_t i = 0; i < node.input_count(); ++i) {
        if (node.differentiable(i)) return true;
    }
    return std::ranges::any_of(node.facts().captured, [](const TensorFacts& tensor) {
        return is_real(tensor.type) && (tensor.parameter || tensor.needs_gradient);
    });
}

/// Activations once each: what is a parameter is resident anyway.
KeptTensors kept_tensors(const Node& node, const Work& work) {
    KeptTensors kept;
    std::unordered_set<std::string_view> seen;
    const auto once = [&](std::string_view name) { return name.empty() || seen.insert(name).second; };
    auto indices = work.kept_inputs;
    std::ranges::sort(indices);
    for (const std::size_t i : indices) {
        if (node.activation(i) && once(node.input_name(i))) kept.inputs.push_back(i);
    }
    indices = work.kept_outputs;
    std::ranges::sort(indices);
    for (const std::size_t i : indices) {
        if (node.output(i) && once(node.output_name(i))) kept.outputs.push_back(i);
    }
    kept.beside = Bytes{static_cast<std::int64_t>(std::ceil(4 * work.kept_elements_f32 + work.kept_bytes))};
    return kept;
}

std::optional<Bytes> total_of(const Node& node, const KeptTensors& kept) {
    ByteSum sum;
    bool fits = sum.add(kept.beside);
    for (const std::size_t i : kept.inputs) fits = fits && sum.add(*node.input(i), {});
    for (const std::size_t i : kept.outputs) fits = fits && sum.add(*node.output(i), {});
    return fits ? std::optional(sum.total()) : std::nullopt;
}

/// Attributes of a damaged file (negative windows, huge counts) must not become negative or infinite work.
bool is_plausible(const Work& work) {
    const double beside = 4 * work.kept_elements_f32 + work.kept_bytes;
    const auto counts = {work.features.flops, work.features.input_gradient_flops, work.features.weight_gradient_flops};
    const bool bytes = work.features.read >= Bytes{} && work.features.parameters_read >= Bytes{};
    return bytes && beside >= 0 && beside < 0x1p62 &&
           std::ranges::all_of(counts, [](double flops) { return flops >= 0 && std::isfinite(flops); });
}

struct Outcome {
    graph::Features features;
    KeptTensors kept;
};

Outcome outcome_of(const OperatorFacts& facts) {
    const Node node(facts);
    const Rule* rule = find_rule(facts.node->domain(), facts.node->op_type());
    Outcome nothing;
    nothing.features.operator_class = rule ? rule->operator_class : graph::OperatorClass::unknown;
    nothing.features.compute_type = compute_type_of(node);
    if (nothing.features.operator_class == graph::OperatorClass::view) return nothing;

    Work work;
    work.features = nothing.features;
    if (!fill_bytes(node, work.features)) return nothing;
    if (rule && rule->apply) rule->apply(node, *rule, work);
    if (!is_plausible(work)) return nothing;
    work.features.rows = work.rows();
    if (!has_backward(node)) {
        work.features.input_gradient_flops = work.features.weight_gradient_flops = 0;
        return {.features = work.features, .kept = {}};
    }
    auto kept = kept_tensors(node, work);
    const auto bytes = total_of(node, kept);
    if (!bytes) return nothing;
    work.features.kept_for_backward = *bytes;
    return {.features = work.features, .kept = std::move(kept)};
}

}  // namespace

void Work::gradient(const Node& node, std::size_t i, double flops) {
    if (!node.differentiable(i)) return;
    (node.input(i)->parameter ? features.weight_gradient_flops : features.input_gradient_flops) += flops;
}

void Work::forward_product(double flops, double row_count) {
    features.flops += flops;
    product_flops += flops;
    if (row_count > 0) product_flops_per_row += flops / row_count;
}

void Work::product(const Node& node, double flops, double row_count, std::size_t a, std::size_t b) {
    forward_product(flops, row_count);
    gradient(node, a, flops);
    gradient(node, b, flops);
    if (node.differentiable(b)) keep_input(a);
    if (node.differentiable(a)) keep_input(b);
}

void Work::inner_product(double flops, double row_count) {
    forward_product(flops, row_count);
    features.input_gradient_flops += 2 * flops;
}

std::int64_t Work::rows() const {
    const double mean = product_flops_per_row > 0 ? std::round(product_flops / product_flops_per_row) : 0;
    return mean >= 0 && mean < 0x1p62 ? static_cast<std::int64_t>(mean) : 0;
}

void keep(const Node& node, Kept kept, Work& work) {
    switch (kept) {
        case Kept::nothing:
            return;
        case Kept::condition:
            return work.keep_input(0);
        case Kept::output:
            return work.keep_output();
        case Kept::mask:
            work.kept_bytes += node.output_elements();
            return;
        case Kept::inputs_and_output:
            work.keep_output();
            [[fallthrough]];
        case Kept::inputs:
            for (std::size_t i = 0; i < node.input_count(); ++i) work.keep_input(i);
            return;
    }
}

double element_bytes(const Node& node, std::size_t i) {
    const auto two = node.input(i) ? graph::bytes_of(node.input(i)->type, 2) : std::nullopt;  // of two: a four-bit element is half a byte
    return two ? static_cast<double>(two->count) / 2 : 0;
}

void add_bias(const Node& node, std::size_t bias, Work& work) {
    if (!node.input(bias)) return;
    work.features.flops += node.output_elements();
    if (node.elements(bias) < node.output_elements()) work.gradient(node, bias, node.output_elements());
}

void by_output_element(const Node& node, const Rule& rule, Work& work) {
    work.features.flops = rule.flops * node.output_elements();
    work.gradient(node, 0, rule.gradient * node.output_elements());
    keep(node, rule.kept, work);
}

void by_input_element(const Node& node, const Rule& rule, Work& work) {
    work.features.flops = rule.flops * node.elements(0);
    work.gradient(node, 0, rule.gradient * node.elements(0));
    keep(node, rule.kept, work);
}

const Rule* find_rule(std::string_view domain, std::string_view op_type) {
    const Table& own = table_of(standard(domain));
    if (const auto found = own.find(op_type); found != own.end()) return found->second;
    if (domain != kMicrosoft) return nullptr;
    const Table& general = table_of({});
    const auto found = general.find(op_type);
    return found == general.end() ? nullptr : found->second;
}

}  // namespace features

bool has_cost_rule(std::string_view domain, std::string_view op_type) { return features::find_rule(domain, op_type) != nullptr; }

bool is_view(std::string_view domain, std::string_view op_type) {
    const auto* rule = features::find_rule(domain, op_type);
    return rule && rule->operator_class == graph::OperatorClass::view;
}

graph::Features features_of(const OperatorFacts& facts) { return features::outcome_of(facts).features; }

KeptTensors kept_by(const OperatorFacts& facts) { return features::outcome_of(facts).kept; }

bool passes_gradient(const OperatorFacts& facts) { return features::has_backward(features::Node(facts)); }

}  // namespace sluice::onnx
