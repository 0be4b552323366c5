#include "sluice/onnx/import/build.hpp"

#include <algorithm>
#include <format>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "sluice/onnx/features.hpp"
#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {

namespace {

/// Axes, sizes and masks of a few elements are no weights; small biases and quantised tensors are.
bool is_shape_constant(std::int32_t type) {
    switch (type) {
        case ::onnx::TensorProto::INT64:
        case ::onnx::TensorProto::INT32:
        case ::onnx::TensorProto::INT16:
        case ::onnx::TensorProto::UINT64:
        case ::onnx::TensorProto::UINT32:
        case ::onnx::TensorProto::UINT16:
        case ::onnx::TensorProto::BOOL:
        case ::onnx::TensorProto::STRING:
            return true;
        default:
            return false;
    }
}

std::string model_name(const std::string& file) {
    std::string name = file.substr(file.find_last_of('/') + 1);
    for (const std::string_view suffix : {".gz", ".onnx"}) {
        if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    }
    return name;
}

class Build {
public:
    Build(const Scope& scope, const Cleaned& cleaned, const ShapeReport& shapes, const Opsets& opsets, const ImportOptions& options,
          ImportReport report, const std::string& file)
        : scope_(scope),
          cleaned_(cleaned),
          shapes_(shapes),
          opsets_(opsets),
          options_(options),
          report_(std::move(report)),
          file_(file),
          builder_(model_name(file)) {}

    Result<ImportedModel> run() {
        for (TensorInfo* output : scope_.outputs) {
            const TensorInfo* root = cleaned_.root(output);
            model_outputs_.insert(root);
            if (root->dependence == Dependence::constant) {
                report_.warnings.push_back(
                    std::format("model output '{}' does not depend on the inputs' data: it is no part of the plan", output->name));
            }
        }
        for (const std::size_t i : cleaned_.operators) mark_reads(scope_.nodes[i]);
        for (TensorInfo* input : scope_.inputs) add_model_input(*input);
        for (const std::size_t i : cleaned_.operators) add_operator(i);
        if (failure_) return fail(std::move(*failure_));
        if (open_count_ > 0) return fail(open_sizes());
        if (cleaned_.operators.empty()) {
            return fail(input_error(scope_.nodes.empty()
                                        ? std::string("the model has no operators")
                                        : std::format("none of the model's {} operators depends on an input: there is nothing to plan",
                                                      scope_.nodes.size()))
                            .at({file_, 0, 0}));
        }
        for (const std::string& assumption : shapes_.assumptions) builder_.add_assumption(assumption);
        finish_report();
        auto graph = std::move(builder_).build();
        if (!graph) return fail(std::move(graph.error()).at({file_, 0, 0}));
        return ImportedModel{std::move(*graph), std::move(report_)};
    }

private:
    void mark_reads(const NodeLinks& links) {
        for (const auto* list : {&links.inputs, &links.captured}) {
            for (TensorInfo* tensor : *list) {
                if (tensor) read_.insert(cleaned_.root(tensor));
            }
        }
    }

    void add_model_input(TensorInfo& input) {
        if (input.initializer) return;
        if (!read_.contains(&input) && !model_outputs_.contains(&input)) {
            report_.warnings.push_back(std::format("model input '{}' is read by no operator", input.name));
            return;
        }
        add_tensor(input);
    }

    /// Shape for the graph; nullopt (and noted) when it is open.
    std::optional<Shape> settled_shape(const TensorInfo& info) {
        if (is_closed(info.type)) return full_shape(info.type);
        // A sequence has as many elements as sizes are assumed to have, and so do the open sizes of an element.
        if (info.type.has_sequence_type() && options_.assume_size) {
            Shape shape{*options_.assume_size};
            for (const auto& size : info.type.sequence_type().elem_type().tensor_type().shape().dim()) {
                shape.push_back(size.has_dim_value() ? size.dim_value() : *options_.assume_size);
            }
            builder_.add_assumption(std::format("sequence '{}' has {} elements (--assume-size)", info.name, *options_.assume_size));
            return shape;
        }
        ++open_count_;
        if (open_.size() < 5) open_.push_back(std::format("'{}' {}", info.name, shape_text(info.type)));
        return std::nullopt;
    }

    std::int32_t element_type(const TensorInfo& info) const {
        if (!info.type.has_sequence_type()) return info.type.tensor_type().elem_type();
        const auto inner = info.type.sequence_type().elem_type().tensor_type().elem_type();
        return inner == ::onnx::TensorProto::UNDEFINED ? ::onnx::TensorProto::FLOAT : inner;
    }

    std::optional<Bytes> bytes_or_fail(const TensorInfo& info, const Shape& shape) {
        const auto bytes = bytes_of(element_type(info), shape);
        if (!bytes && !failure_) {
            const bool typed = data_type_of(element_type(info)).has_value();
            failure_ = input_error(std::format("tensor '{}' {} {}", info.name, shape_text(info.type),
                                               typed ? "has more than 2^63 bytes" : "has a data type that ONNX does not know"))
                           .at({file_, 0, 0});
        }
        return bytes;
    }

    TensorId add_tensor(const TensorInfo& info) {
        if (const auto found = tensors_.find(&info); found != tensors_.end()) return found->second;
        graph::Tensor tensor;
        tensor.name = info.name;
        tensor.model_output = model_outputs_.contains(&info);
        if (auto shape = settled_shape(info)) {
            tensor.bytes = bytes_or_fail(info, *shape).value_or(Bytes{});
            tensor.type = data_type_of(element_type(info)).value_or(graph::DataType::other);
            tensor.shape = std::move(*shape);
            tensor.shape_known = true;
            tensor.shape_assumed = info.assumed || info.type.has_sequence_type();
        }
        return tensors_[&info] = builder_.add_tensor(std::move(tensor));
    }

    /// The parameter that holds a constant; nothing for one that is computed again where it is needed.
    void add_parameter(const TensorInfo& info, const std::string& owner, std::vector<ParameterId>& ids) {
        if (const auto found = parameters_.find(&info); found != parameters_.end()) {
            if (found->second.valid()) ids.push_back(found->second);
            return;
        }
        const auto shape = settled_shape(info);
        const auto bytes = shape ? bytes_or_fail(info, *shape) : std::nullopt;
        ParameterId id;
        if (bytes && (*bytes > kSmallConstant || (info.initializer && !is_shape_constant(element_type(info))))) {
            graph::Parameter parameter;
            parameter.name = unique_name(info, owner);
            parameter.type = data_type_of(element_type(info)).value_or(graph::DataType::other);
            parameter.shape = *shape;
            parameter.bytes = *bytes;
            id = builder_.add_parameter(std::move(parameter));
            ids.push_back(id);
        }
        parameters_[&info] = id;
    }

    /// Bodies have name spaces of their own.
    std::string unique_name(const TensorInfo& info, const std::string& owner) {
        std::string name(info.name);
        if (info.scope != &scope_) name = std::format("{}/{}", owner, info.name);
        for (int n = 2; !parameter_names_.insert(name).second; ++n) name = std::format("{}/{}#{}", owner, info.name, n);
        return name;
    }

    void add_body_parameters(const Scope& body, const std::string& owner, std::vector<ParameterId>& ids) {
        for (const NodeLinks& links : body.nodes) {
            for (const Body& inner : links.bodies) add_body_parameters(*inner.scope, owner, ids);
        }
        for (const TensorInfo& tensor : body.tensors) {
            const bool constant = tensor.initializer || (tensor.producer && body.nodes[*tensor.producer].node->op_type() == "Constant");
            if (constant && !tensor.graph_input && !has_open_size(tensor.type)) add_parameter(tensor, owner, ids);
        }
    }

    TensorFacts facts_of(const TensorInfo& info) const {
        TensorFacts facts;
        facts.type = data_type_of(element_type(info)).value_or(graph::DataType::other);
        if (auto shape = full_shape(info.type)) {
            facts.shape = std::move(*shape);
            facts.shape_known = true;
        }
        facts.parameter = info.dependence == Dependence::constant;
        if (const auto kept = cleaned_.dequantised.find(&info); kept != cleaned_.dequantised.end()) {
            facts.type = data_type_of(element_type(*kept->second.front())).value_or(facts.type);
        }
        if (info.value) facts.value = info.value->integers();
        return facts;
    }

    TensorFacts facts_of_input(TensorInfo& tensor) const {
        TensorFacts facts = facts_of(tensor);
        facts.needs_gradient = trained_.contains(cleaned_.root(&tensor));
        return facts;
    }

    void add_input(TensorInfo& tensor, const std::string& owner, std::vector<TensorId>& inputs, std::vector<ParameterId>& parameters) {
        TensorInfo* root = cleaned_.root(&tensor);
        if (const auto kept = cleaned_.dequantised.find(root); kept != cleaned_.dequantised.end()) {
            for (const TensorInfo* part : kept->second) add_constant(*part, owner, parameters);
        } else if (root->dependence == Dependence::constant) {
            add_constant(*root, owner, parameters);
        } else {
            inputs.push_back(add_tensor(*root));
        }
    }

    void add_constant(const TensorInfo& info, const std::string& owner, std::vector<ParameterId>& parameters) {
        const std::size_t before = parameters.size();
        add_parameter(info, owner, parameters);
        if (parameters.size() > before && use_of_.try_emplace(&info, uses_.size()).second) uses_.push_back({&info});
    }

    void note_use(const NodeLinks& links) {
        const auto use = [&](std::size_t input) -> ParameterUse* {
            if (input >= links.inputs.size() || !links.inputs[input]) return nullptr;
            const auto found = use_of_.find(cleaned_.root(links.inputs[input]));
            return found == use_of_.end() ? nullptr : &uses_[found->second];
        };
        const std::string& type = links.node->op_type();
        if (type == "Gather") {
            if (auto* table = use(0)) table->looked_up = true;
        } else if (type == "MatMul" || type == "Gemm") {
            if (auto* weight = use(1)) weight->multiplied = true;
        }
    }

    void add_operator(std::size_t index) {
        const NodeLinks& links = scope_.nodes[index];
        const ::onnx::NodeProto& node = *links.node;
        graph::Operator op;
        op.name = node.name();
        op.type = is_standard(node) ? node.op_type() : std::format("{}.{}", node.domain(), node.op_type());
        op.source = static_cast<std::int64_t>(index);
        const std::string owner = !node.name().empty() ? node.name() : node.output_size() > 0 ? node.output(0) : op.type;

        std::vector<TensorId> inputs, outputs;
        std::vector<ParameterId> parameters;
        OperatorFacts facts{
            .node = &node, .opset = opset_for(opsets_, node), .inputs = {}, .outputs = {}, .captured = {}, .captured_names = {}};
        for (TensorInfo* input : links.inputs) {
            if (input) add_input(*input, owner, inputs, parameters);
            facts.inputs.push_back(input ? std::optional(facts_of_input(*input)) : std::nullopt);
        }
        for (TensorInfo* tensor : links.captured) {
            add_input(*tensor, owner, inputs, parameters);
            facts.captured.push_back(facts_of_input(*tensor));
            facts.captured_names.emplace_back(tensor->name);
        }
        for (const Body& body : links.bodies) add_body_parameters(*body.scope, owner, parameters);
        note_use(links);

        for (TensorInfo* output : links.outputs) {
            // The first output names the operator; others count when somebody reads them.
            const bool needed = output && (outputs.empty() || read_.contains(output) || model_outputs_.contains(output));
            facts.outputs.push_back(needed ? std::optional(facts_of(*output)) : std::nullopt);
            if (!needed) continue;
            outputs.push_back(add_tensor(*output));
        }
        // Sizes that are the same in every run were folded. What works out others must see the tensor itself: replicated for free it
        // would need that tensor, all of it, in each stage; as an operator it sends a few bytes.
        op.features = features_of(facts);
        if (passes_gradient(facts)) {
            for (TensorInfo* output : links.outputs) {
                if (output) trained_.insert(output);
            }
        }
        if (op.features.operator_class == graph::OperatorClass::view) ++report_.views;
        if (!has_cost_rule(node.domain(), node.op_type())) ++opaque_[op.type];
        builder_.add_operator(std::move(op), inputs, outputs, parameters);
    }

    Diagnostic open_sizes() const {
        std::string names;
        for (const std::string& name : open_) names += (names.empty() ? "" : ", ") + name;
        if (open_count_ > open_.size()) names += ", …";
        Diagnostic diagnostic =
            input_error(std::format("{} tensors have sizes that are not known: {}", open_count_, names)).at({file_, 0, 0});
        std::string symbols;
        for (const std::string& symbol : shapes_.open_symbols) symbols += std::format("{}'{}'", symbols.empty() ? "" : ", ", symbol);
        if (!symbols.empty()) diagnostic.notes.push_back(std::format("model inputs have the open dimensions {}", symbols));
        for (std::size_t i = 0; i < std::min<std::size_t>(shapes_.open_inputs.size(), 3); ++i) {
            diagnostic.notes.push_back(std::format("model input {} has a size without a name", shapes_.open_inputs[i]));
        }
        for (std::size_t i = 0; i < std::min<std::size_t>(shapes_.origins.size(), 3); ++i) {
            diagnostic.notes.push_back(std::format("a size is first lost where {}", shapes_.origins[i]));
        }
        if (shapes_.origins.size() > 3) diagnostic.notes.push_back(std::format("and at {} more operators", shapes_.origins.size() - 3));
        if (!shapes_.open_symbols.empty()) {
            diagnostic.help =
                std::format("give the size, as in --dim {}=1, or one for all that are open: --assume-size 1", shapes_.open_symbols.front());
        } else {
            diagnostic.help = "give a size as --dim TENSOR.axis=value, or one for all that are open: --assume-size 16";
        }
        return diagnostic;
    }

    void finish_report() {
        report_.folded = cleaned_.folded;
        report_.removed_identities = cleaned_.removed_identities;
        report_.aliases = cleaned_.aliases;
        report_.bound_dimensions = shapes_.bound_dimensions;
        for (const TensorInfo& tensor : scope_.tensors) {
            if (!tensor.producer) continue;
            ++(!is_closed(tensor.type) ? report_.shapes_open : tensor.assumed ? report_.shapes_assumed : report_.shapes_inferred);
        }
        for (const auto& [type, count] : opaque_) report_.opaque_types.push_back(std::format("{} ({})", type, count));
        report_.warnings.insert(report_.warnings.end(), shapes_.warnings.begin(), shapes_.warnings.end());
        if (!cleaned_.stray_sinks.empty()) {
            report_.warnings.push_back(std::format("{} operators lead to no model output; the first is {}", cleaned_.stray_sinks.size(),
                                                   label(*scope_.nodes[cleaned_.stray_sinks.front()].node)));
        }
        for (std::string& warning : find_tied_copies(uses_)) report_.warnings.push_back(std::move(warning));
    }

    const Scope& scope_;
    const Cleaned& cleaned_;
    const ShapeReport& shapes_;
    const Opsets& opsets_;
    const ImportOptions& options_;
    ImportReport report_;
    const std::string& file_;
    graph::GraphBuilder builder_;
    std::unordered_set<const TensorInfo*> model_outputs_, read_;  // roots
    std::unordered_set<const TensorInfo*> trained_;               // with a trained parameter upstream
    std::unordered_map<const TensorInfo*, TensorId> tensors_;
    std::unordered_map<const TensorInfo*, ParameterId> parameters_;  // invalid: a small constant
    std::unordered_set<std::string> parameter_names_;
    std::vector<ParameterUse> uses_;
    std::unordered_map<const TensorInfo*, std::size_t> use_of_;
    std::map<std::string, std::size_t> opaque_;
    std::vector<std::string> open_;
    std::size_t open_count_ = 0;
    std::optional<Diagnostic> failure_;
};

}  // namespace

Result<ImportedModel> build_graph(const Scope& scope, const Cleaned& cleaned, const ShapeReport& shapes, const Opsets& opsets,
                                  const ImportOptions& options, ImportReport report, const std::string& file) {
    return Build(scope, cleaned, shapes, opsets, options, std::move(report), file).run();
}

}  // namespace sluice::onnx
