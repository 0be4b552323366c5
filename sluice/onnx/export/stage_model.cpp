#include "sluice/onnx/export/stage_model.hpp"

#include <format>
#include <unordered_map>
#include <unordered_set>

#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {

namespace {

using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

/// Before this IR version every initializer is listed as an input, too.
constexpr std::int64_t kFreeInitializers = 4;

/// Where sizes differ from run to run only what the file itself says of them is stated, and no shape where import had to guess the rank.
::onnx::TypeProto stated_type(const TensorInfo& tensor) {
    ::onnx::TypeProto type = tensor.type;
    if (!tensor.varies || !type.has_tensor_type()) return type;
    if (tensor.declared && tensor.declared->has_tensor_type() && tensor.declared->tensor_type().has_shape())
        *type.mutable_tensor_type()->mutable_shape() = tensor.declared->tensor_type().shape();
    else if (tensor.rank_guessed)
        type.mutable_tensor_type()->clear_shape();
    else
        for (auto& size : *type.mutable_tensor_type()->mutable_shape()->mutable_dim()) size.Clear();
    return type;
}

void state(::onnx::ValueInfoProto& info, const TensorInfo& tensor) {
    info.set_name(std::string(tensor.name));
    *info.mutable_type() = stated_type(tensor);
}

/// The tensor of a Constant; null when there is none.
const TensorProto* constant_of(const NodeProto& node) {
    if (node.op_type() != "Constant" || !(node.domain().empty() || node.domain() == "ai.onnx")) return nullptr;
    for (const auto& attribute : node.attribute()) {
        if (attribute.name() == "value" && attribute.has_t()) return &attribute.t();
    }
    return nullptr;
}

class StageWriter {
public:
    StageWriter(const Understood& model, const Slice& slice, WeightFiles& weights) : model_(model), slice_(slice), weights_(weights) {}

    Result<::onnx::ModelProto> run(std::size_t stage) {
        copy_header(stage);
        return add_initializers().and_then([&] { return add_nodes(); }).and_then([&] { return add_functions(); }).transform([&] {
            add_borders();
            return std::move(out_);
        });
    }

private:
    void copy_header(std::size_t stage) {
        const ::onnx::ModelProto& from = *model_.model;
        out_.set_ir_version(from.ir_version());
        *out_.mutable_opset_import() = from.opset_import();
        *out_.mutable_metadata_props() = from.metadata_props();
        if (from.has_producer_name()) out_.set_producer_name(from.producer_name());
        if (from.has_producer_version()) out_.set_producer_version(from.producer_version());
        if (from.has_domain()) out_.set_domain(from.domain());
        if (from.has_model_version()) out_.set_model_version(from.model_version());
        if (from.has_doc_string()) out_.set_doc_string(from.doc_string());
        const std::string& name = from.graph().name();
        graph().set_name(std::format("{}/stage-{}", name.empty() ? "model" : name, stage));
    }

    GraphProto& graph() { return *out_.mutable_graph(); }

    void add_initializer(TensorProto tensor, std::string_view name) {
        tensor.set_name(std::string(name));
        if (out_.ir_version() < kFreeInitializers) {
            ::onnx::ValueInfoProto& info = late_inputs_.emplace_back();
            info.set_name(std::string(name));
            info.mutable_type()->mutable_tensor_type()->set_elem_type(tensor.data_type());
            set_shape(*info.mutable_type(), {tensor.dims().begin(), tensor.dims().end()});
        }
        *graph().add_initializer() = std::move(tensor);
    }

    Result<void> add_weights(const TensorProto& tensor, std::string_view name) {
        auto placed = weights_.place(tensor);
        if (!placed) return fail(std::move(placed.error()));
        add_initializer(std::move(*placed), name);
        return {};
    }

    Result<void> add_initializers() {
        for (const TensorInfo* tensor : slice_.initializers) {
            if (tensor->sparse) {
                auto& sparse = *graph().add_sparse_initializer();
                sparse = *tensor->sparse;
                for (TensorProto* part : {sparse.mutable_values(), sparse.mutable_indices()}) {
                    if (!is_external(*part)) continue;
                    auto placed = weights_.place(*part);
                    if (!placed) return fail(std::move(placed.error()));
                    *part = std::move(*placed);
                }
            } else if (auto done = add_weights(*tensor->initializer, tensor->name); !done) {
                return done;
            }
        }
        for (const TensorInfo* tensor : slice_.shapes) {
            TensorProto value;
            write_tensor(*tensor->value, value);
            add_initializer(std::move(value), tensor->name);  // not a weight: it has no place in a weight file
        }
        return {};
    }

    Result<void> add_nodes() {
        for (const std::size_t i : slice_.nodes) {
            const NodeLinks& links = model_.scope->nodes[i];
            // A weight by another name.
            if (const auto* data = constant_of(*links.node);
                data && links.node->output_size() > 0 && (is_external(*data) || data_bytes(*data) > kLargestEmbedded)) {
                if (auto done = add_weights(*data, links.node->output(0)); !done) return done;
                continue;
            }
            NodeProto& node = *graph().add_node();
            node = *links.node;
            if (auto done = place_bodies(node, *links.node); !done) return done;
            for (const TensorInfo* output : links.outputs) {
                if (output) made_.insert(output);
            }
        }
        return {};
    }

    Result<void> place_bodies(NodeProto& node, const NodeProto& original) {
        for (int a = 0; a < node.attribute_size(); ++a) {
            auto& attribute = *node.mutable_attribute(a);
            const auto& from = original.attribute(a);
            if (attribute.has_g()) {
                if (auto done = place_body(*attribute.mutable_g(), from.g()); !done) return done;
            }
            for (int g = 0; g < attribute.graphs_size(); ++g) {
                if (auto done = place_body(*attribute.mutable_graphs(g), from.graphs(g)); !done) return done;
            }
        }
        return {};
    }

    Result<void> place_body(GraphProto& body, const GraphProto& original) {
        for (int i = 0; i < body.initializer_size(); ++i) {
            auto placed = weights_.place(original.initializer(i));
            if (!placed) return fail(std::move(placed.error()));
            *body.mutable_initializer(i) = std::move(*placed);
        }
        for (int i = 0; i < body.node_size(); ++i) {
            if (auto done = place_bodies(*body.mutable_node(i), original.node(i)); !done) return done;
        }
        return {};
    }

    /// The model's functions that could not be inlined and are called here, and those that they call.
    Result<void> add_functions() {
        std::unordered_map<std::string, const FunctionProto*> known;
        for (const FunctionProto& function : model_.model->functions()) known.emplace(key(function.domain(), function.name()), &function);
        if (known.empty()) return {};
        std::vector<const FunctionProto*> called;
        const auto call = [&](this const auto& self, const auto& nodes) -> void {
            for (const NodeProto& node : nodes) {
                if (const auto found = known.extract(key(node.domain(), node.op_type()))) called.push_back(found.mapped());
                for (const auto& attribute : node.attribute()) {
                    if (attribute.has_g()) self(attribute.g().node());
                    for (const auto& body : attribute.graphs()) self(body.node());
                }
            }
        };
        call(out_.graph().node());
        for (std::size_t i = 0; i < called.size(); ++i) {
            *out_.add_functions() = *called[i];
            call(called[i]->node());
        }
        return {};
    }

    static std::string key(const std::string& domain, const std::string& name) {
        return std::format("{}\n{}", domain == "ai.onnx" ? "" : domain, name);
    }

    void add_borders() {
        std::unordered_set<std::string_view> stated;
        for (const TensorInfo* tensor : slice_.inputs) state(*graph().add_input(), *tensor);
        for (::onnx::ValueInfoProto& info : late_inputs_) *graph().add_input() = std::move(info);
        for (const TensorInfo* tensor : slice_.outputs) {
            state(*graph().add_output(), *tensor);
            stated.insert(tensor->name);
        }
        for (const TensorInfo* tensor : made_) inner_.insert(tensor->name);
        for (const auto& info : model_.model->graph().value_info()) {
            if (inner_.contains(info.name()) && stated.insert(info.name()).second) *graph().add_value_info() = info;
        }
    }

    const Understood& model_;
    const Slice& slice_;
    WeightFiles& weights_;
    ::onnx::ModelProto out_;
    std::unordered_set<const TensorInfo*> made_;
    std::unordered_set<std::string_view> inner_;
    std::vector<::onnx::ValueInfoProto> late_inputs_;
};

}  // namespace

Result<::onnx::ModelProto> stage_model(const Understood& model, const Slice& slice, std::size_t stage, WeightFiles& weights) {
    return StageWriter(model, slice, weights).run(stage);
}

}  // namespace sluice::onnx
