#include <onnx/defs/schema.h>

#include <algorithm>
#include <array>
#include <exception>
#include <format>
#include <ranges>
#include <unordered_set>

#include "sluice/onnx/import/assumptions.hpp"
#include "sluice/onnx/import/evaluate.hpp"
#include "sluice/onnx/import/node_context.hpp"
#include "sluice/onnx/import/shapes.hpp"
#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {

namespace {

using ::onnx::TypeProto;

// Elements kept in values altogether (128 MiB): a real model's shape chains need thousands.
constexpr std::size_t kMostElements = std::size_t{1} << 24;
// Loop-carried state is iterated until it stands, at most so often.
constexpr int kMostRounds = 8;

/// These take their output's shape from the first input, whatever the others are.
bool shaped_by_first_input(const std::string& type) { return type == "ScatterElements" || type == "ScatterND" || type == "Scatter"; }

class Inference {
public:
    Inference(Scope& top, const Opsets& opsets, const ImportOptions& options, const std::string& file, ShapeReport& report)
        : top_(top), opsets_(opsets), sizes_(options), file_(file), report_(report), budget_(16 * top.node_count + 10'000) {}

    Result<void> run() {
        if (auto done = sizes_.prepare(top_, file_, report_); !done) return done;
        for (TensorInfo* input : top_.inputs) {
            input->dependence = input->initializer ? Dependence::constant : Dependence::data;
            if (!input->initializer) settle(*input, TypeProto{}, false);
            if (sizes_.failure()) return fail(*sizes_.failure());
            if (!input->initializer) sizes_.settle_input(*input, report_);
        }
        run_scope(top_);
        if (sizes_.failure()) return fail(*sizes_.failure());
        if (misfits_ > 0) {
            report_.warnings.push_back(std::format("{} operators do not fit their definitions; the first is {}", misfits_, first_misfit_));
        }
        if (conflicts_ > 0) {
            report_.warnings.push_back(
                std::format("{} shapes written in the file differ from those inferred, which were taken; the first is {}", conflicts_,
                            first_conflict_));
        }
        sizes_.finish(report_);
        return {};
    }

private:
    void run_scope(Scope& scope) {
        for (TensorInfo& tensor : scope.tensors) {
            if (tensor.initializer) settle_initializer(tensor);
        }
        for (const std::size_t i : scope.order) visit(scope.nodes[i]);
    }

    void settle_initializer(TensorInfo& tensor) {
        const auto& dims = tensor.sparse ? tensor.sparse->dims() : tensor.initializer->dims();
        tensor.type.Clear();
        tensor.type.mutable_tensor_type()->set_elem_type(tensor.initializer->data_type());
        set_shape(tensor.type, {dims.begin(), dims.end()});
        tensor.dependence = Dependence::constant;
        if (!tensor.sparse && !tensor.value) keep(tensor, value_of(*tensor.initializer));
    }

    void keep(TensorInfo& tensor, std::optional<Value> value) {
        if (tensor.value) elements_ -= tensor.value->size();
        tensor.value.reset();
        if (!value || elements_ + value->size() > kMostElements) return;
        elements_ += value->size();
        tensor.value = std::move(value);
    }

    /// What was inferred, completed by what the file says, then by what the user says.
    void settle(TensorInfo& tensor, TypeProto inferred, bool varies) {
        if (inferred.has_tensor_type() && inferred.tensor_type().has_shape()) {
            auto& shape = *inferred.mutable_tensor_type()->mutable_shape();
            for (auto& size : *shape.mutable_dim()) {
                if (size.has_dim_value() && size.dim_value() < 0) size.clear_dim_value();  // libonnx' arithmetic is unchecked
                if (size.has_dim_param()) size.clear_dim_param();
            }
            if (static_cast<std::size_t>(shape.dim_size()) > kLargestRank) inferred.mutable_tensor_type()->clear_shape();
        }
        tensor.type = std::move(inferred);
        tensor.varies = varies;
        if (tensor.declared) merge_declared(tensor);
        sizes_.bind(tensor);
    }

    void merge_declared(TensorInfo& tensor) {
        const TypeProto declared = sizes_.with_bound_symbols(*tensor.declared, tensor);
        if (tensor.type.value_case() == TypeProto::VALUE_NOT_SET) {
            tensor.type = declared;
            return;
        }
        if (!tensor.type.has_tensor_type() || !declared.has_tensor_type()) return;
        auto& own = *tensor.type.mutable_tensor_type();
        const auto& other = declared.tensor_type();
        if (own.elem_type() == ::onnx::TensorProto::UNDEFINED) own.set_elem_type(other.elem_type());
        if (!other.has_shape()) return;
        if (!own.has_shape()) {
            *own.mutable_shape() = other.shape();
            return;
        }
        const auto conflict = [&] {
            if (conflicts_++ == 0)
                first_conflict_ =
                    std::format("'{}': {} in the file, {} inferred", tensor.name, shape_text(declared), shape_text(tensor.type));
        };
        if (own.shape().dim_size() != other.shape().dim_size()) return conflict();
        bool differs = false;
        for (int d = 0; d < other.shape().dim_size(); ++d) {
            auto& size = *own.mutable_shape()->mutable_dim(d);
            const auto& said = other.shape().dim(d);
            if (!size.has_dim_value() && !said.has_dim_value()) size = said;  // keeps the symbol
            if (!said.has_dim_value()) continue;
            // A size that was only bounded gives way to the file's.
            if (!size.has_dim_value() || tensor.varies)
                size.set_dim_value(said.dim_value());
            else if (size.dim_value() != said.dim_value())
                differs = true;
        }
        if (differs) return conflict();
        if (full_shape(*tensor.declared)) tensor.varies = tensor.assumed = false;
    }

    const ::onnx::OpSchema* schema_of(const ::onnx::NodeProto& node) const {
        const std::int64_t opset = opset_for(opsets_, node);
        if (opset <= 0 || opset > 1000) return nullptr;
        return ::onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset), node.domain() == "ai.onnx" ? "" : node.domain());
    }

    void visit(NodeLinks& links) {
        ++visits_;
        const ::onnx::OpSchema* schema = schema_of(*links.node);
        bool varies = false, assumed = false, guessed = false, closed = true;
        Dependence dependence = Dependence::constant;
        bool first = true;
        for (const auto* list : {&links.inputs, &links.captured}) {
            for (const TensorInfo* input : *list) {
                if (!input) continue;
                dependence = std::max(dependence, input->dependence);
                assumed = assumed || input->assumed;
                guessed = guessed || input->rank_guessed;
                closed = closed && is_closed(input->type);
                if (first || !shaped_by_first_input(links.node->op_type()))
                    varies = varies || input->varies || input->dependence == Dependence::sizes;
                first = false;
            }
        }
        const bool of_shape = is_standard(*links.node) && (links.node->op_type() == "Shape" || links.node->op_type() == "Size");
        if (of_shape) {
            dependence = varies || (!links.inputs.empty() && links.inputs[0] && has_open_size(links.inputs[0]->type))
                             ? Dependence::sizes
                             : Dependence::constant;
            varies = false;
        }
        if (!schema || is_random(links)) dependence = Dependence::data;

        std::vector<TypeProto> types = infer(links, schema, varies);
        types.resize(links.outputs.size());
        std::vector<Value> values;
        if (schema && links.bodies.empty() && !is_random(links)) values = evaluate(links);
        std::vector<Shape> bounds;
        for (std::size_t k = 0; k < links.outputs.size(); ++k) {
            TensorInfo* output = links.outputs[k];
            if (!output) continue;
            output->dependence = dependence;
            output->assumed = assumed;
            output->rank_guessed = guessed;
            if (k < values.size() && !fits(types[k], values[k])) values[k] = Value{};
            const bool valued = k < values.size() && values[k].type() != ::onnx::TensorProto::UNDEFINED;
            if (valued) {
                types[k].mutable_tensor_type()->set_elem_type(values[k].type());
                set_shape(types[k], values[k].shape());
            }
            settle(*output, std::move(types[k]), varies);
            keep(*output, valued ? std::optional(std::move(values[k])) : std::nullopt);
            if (is_closed(output->type)) continue;
            if (closed && bounds.empty()) bounds = data_dependent_bounds(links);
            if (k < bounds.size()) sizes_.bound(*output, bounds[k], links);
            if (!is_closed(output->type)) sizes_.assume(*output, links);
            if (closed && !is_closed(output->type) && visits_ <= budget_) sizes_.origin(*output, links, report_);
        }
    }

    /// A value whose type or shape contradicts libonnx' inference is not trusted.
    static bool fits(const TypeProto& type, const Value& value) {
        if (!type.has_tensor_type()) return type.value_case() == TypeProto::VALUE_NOT_SET;
        const auto elements = type.tensor_type().elem_type();
        const auto shape = full_shape(type);
        return (elements == ::onnx::TensorProto::UNDEFINED || elements == value.type()) && (!shape || *shape == value.shape());
    }

    std::vector<Value> evaluate(const NodeLinks& links) const {
        std::vector<Operand> operands;
        for (const TensorInfo* input : links.inputs) {
            operands.push_back(input ? Operand{&input->type, input->value ? &*input->value : nullptr} : Operand{});
        }
        return onnx::evaluate(Evaluation{*links.node, opset_for(opsets_, *links.node), operands});
    }

    std::vector<TypeProto> infer(NodeLinks& links, const ::onnx::OpSchema* schema, bool& varies) {
        if (!schema) {
            for (Body& body : links.bodies) run_body(*body.scope, {});
            return {};
        }
        try {
            schema->Verify(*links.node);
            if (is_standard(*links.node) && links.node->op_type() == "Loop") return infer_loop(links, varies);
            if (is_standard(*links.node) && links.node->op_type() == "If") return infer_if(links, varies);
            NodeContext context(links, [this](Scope& scope, const std::vector<const TypeProto*>& inputs) {
                std::vector<TypeProto> types;
                for (const TypeProto* type : inputs) types.push_back(type ? *type : TypeProto{});
                return run_body(scope, types);
            });
            try {
                infer_with_schema(context, links, *schema, opset_for(opsets_, *links.node));
            } catch (const std::exception& error) {
                misfit(links, error.what());  // what was inferred before the fault still stands
            }
            return std::move(context.outputs());
        } catch (const std::exception& error) { misfit(links, error.what()); }
        return {};
    }

    void misfit(const NodeLinks& links, std::string_view why) {
        if (!misfit_nodes_.insert(links.node).second) return;
        if (misfits_++ > 0) return;
        // libonnx repeats the node's name over several lines: the first says it.
        why = why.substr(0, why.find('\n'));
        first_misfit_ = std::format("{}: {}", label(*links.node), why);
    }

    std::vector<const TypeProto*> run_body(Scope& scope, const std::vector<TypeProto>& inputs) {
        for (std::size_t i = 0; i < scope.inputs.size(); ++i) {
            scope.inputs[i]->dependence = Dependence::data;
            scope.inputs[i]->assumed = false;
            settle(*scope.inputs[i], i < inputs.size() ? inputs[i] : TypeProto{}, false);
        }
        run_scope(scope);
        std::vector<const TypeProto*> types;
        for (const TensorInfo* output : scope.outputs) types.push_back(&output->type);
        return types;
    }

    /// A known condition decides; otherwise what both branches agree on, and the larger of two sizes as a bound.
    std::vector<TypeProto> infer_if(NodeLinks& links, bool& varies) {
        std::optional<bool> taken;
        if (const TensorInfo* condition = links.inputs.empty() ? nullptr : links.inputs[0]; condition && condition->value) {
            const auto known = condition->dependence == Dependence::constant ? condition->value->integers() : std::nullopt;
            if (known && known->size() == 1) taken = known->front() != 0;
        }
        std::vector<TypeProto> result;
        bool any = false;
        for (Body& body : links.bodies) {
            const auto types = run_body(*body.scope, {});
            if (taken && (body.attribute == "then_branch") != *taken) continue;
            for (std::size_t k = 0; k < types.size(); ++k) {
                if (body.scope->outputs[k]->varies) varies = true;
                if (k >= result.size())
                    result.push_back(any ? TypeProto{} : *types[k]);
                else
                    result[k] = sizes_.join_branches(result[k], *types[k], links, varies);
            }
            any = true;
        }
        return result;
    }

    /// States keep a size that the body hands on unchanged; others are open. Scan outputs stack up to the trip count.
    std::vector<TypeProto> infer_loop(NodeLinks& links, bool& varies) {
        if (links.bodies.size() != 1) return {};
        Scope& body = *links.bodies[0].scope;
        const std::size_t states = links.inputs.size() < 2 ? 0 : links.inputs.size() - 2;
        std::vector<TypeProto> inputs(2 + states);
        inputs[0].mutable_tensor_type()->set_elem_type(::onnx::TensorProto::INT64);
        set_shape(inputs[0], {});
        inputs[1].mutable_tensor_type()->set_elem_type(::onnx::TensorProto::BOOL);
        set_shape(inputs[1], {});
        for (std::size_t s = 0; s < states; ++s) {
            if (links.inputs[s + 2]) inputs[s + 2] = links.inputs[s + 2]->type;
        }
        const auto forget = [&] {
            for (TypeProto& state : inputs | std::views::drop(2)) {
                if (state.has_tensor_type()) state.mutable_tensor_type()->clear_shape();
            }
        };
        std::vector<const TypeProto*> outputs;
        bool stands = false, trusted = true;
        for (int round = 0; !stands; ++round) {
            // Nested loops multiply their rounds: past the budget each body is walked once more, on states of any shape.
            const bool last = round + 1 >= kMostRounds || visits_ > budget_;
            if (last) forget();
            if (last && round > 0 && visits_ > budget_) {
                trusted = false;
                break;
            }
            outputs = run_body(body, inputs);
            if (outputs.size() < 1 + states) return {};
            stands = true;
            for (std::size_t s = 0; s < states && !last; ++s) {
                TypeProto joined = join(inputs[s + 2], *outputs[s + 1]);
                if (same_type(joined, inputs[s + 2])) continue;
                stands = false;
                inputs[s + 2] = std::move(joined);
            }
        }
        std::vector<TypeProto> result(inputs.begin() + 2, inputs.end());
        for (std::size_t k = 1 + states; k < outputs.size(); ++k) {
            TypeProto stacked = *outputs[k];
            if (!trusted && stacked.has_tensor_type()) stacked.mutable_tensor_type()->clear_shape();
            if (stacked.has_tensor_type() && stacked.tensor_type().has_shape()) {
                auto& shape = *stacked.mutable_tensor_type()->mutable_shape();
                ::onnx::TensorShapeProto longer;
                if (const auto trips = sizes_.trip_count(links, varies))
                    longer.add_dim()->set_dim_value(*trips);
                else
                    longer.add_dim();
                for (const auto& size : shape.dim()) *longer.add_dim() = size;
                shape = std::move(longer);
            }
            result.push_back(std::move(stacked));
        }
        return result;
    }

    Scope& top_;
    const Opsets& opsets_;
    Sizes sizes_;
    const std::string& file_;
    ShapeReport& report_;
    std::size_t budget_;
    std::size_t visits_ = 0, elements_ = 0;
    std::size_t misfits_ = 0, conflicts_ = 0;
    std::string first_misfit_, first_conflict_;
    std::unordered_set<const ::onnx::NodeProto*> misfit_nodes_;
};

}  // namespace

Opsets opsets_of(const ::onnx::ModelProto& model) {
    Opsets opsets;
    for (const auto& import : model.opset_import()) opsets[import.domain() == "ai.onnx" ? "" : import.domain()] = import.version();
    return opsets;
}

std::int64_t opset_for(const Opsets& opsets, const ::onnx::NodeProto& node) {
    const auto found = opsets.find(node.domain() == "ai.onnx" ? "" : node.domain());
    return found == opsets.end() ? 0 : found->second;
}

bool is_random(const NodeLinks& links) {
    static constexpr std::array<std::string_view, 6> kTypes{"Bernoulli",        "Multinomial",   "RandomNormal",
                                                            "RandomNormalLike", "RandomUniform", "RandomUniformLike"};
    const auto& node = *links.node;
    if (is_standard(node) && std::ranges::contains(kTypes, node.op_type())) return true;
    if (is_standard(node) && node.op_type() == "Dropout" && links.inputs.size() > 2 && links.inputs[2]) {
        const auto& training = links.inputs[2]->value;
        const auto known = training ? training->integers() : std::nullopt;
        if (!known || known->size() != 1 || known->front() != 0) return true;
    }
    return std::ranges::any_of(links.bodies, [](const Body& body) { return std::ranges::any_of(body.scope->nodes, is_random); });
}

Result<ShapeReport> infer_shapes(Scope& scope, const Opsets& opsets, const ImportOptions& options, const std::string& file) {
    ShapeReport report;
    if (auto done = Inference(scope, opsets, options, file, report).run(); !done) return fail(done.error());
    return report;
}

}  // namespace sluice::onnx
