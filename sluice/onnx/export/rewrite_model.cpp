#include "sluice/onnx/export/rewrite_model.hpp"

#include <format>
#include <unordered_map>
#include <unordered_set>

namespace sluice::onnx {

namespace {

using ::onnx::GraphProto;
using ::onnx::NodeProto;

using Names = std::unordered_map<std::string, std::string>;

/// In the bodies of a node, but for names that a body gives to something of its own.
void rename_in(GraphProto& body, Names names);

void rename_reads(NodeProto& node, const Names& names) {
    for (std::string& input : *node.mutable_input())
        if (const auto found = names.find(input); found != names.end()) input = found->second;
    for (auto& attribute : *node.mutable_attribute()) {
        if (attribute.has_g()) rename_in(*attribute.mutable_g(), names);
        for (GraphProto& body : *attribute.mutable_graphs()) rename_in(body, names);
    }
}

void rename_in(GraphProto& body, Names names) {
    for (const auto& input : body.input()) names.erase(input.name());
    for (const auto& initializer : body.initializer()) names.erase(initializer.name());
    for (const auto& initializer : body.sparse_initializer()) names.erase(initializer.values().name());
    for (const NodeProto& node : body.node())
        for (const std::string& output : node.output()) names.erase(output);
    if (names.empty()) return;
    for (NodeProto& node : *body.mutable_node()) rename_reads(node, names);
    for (auto& output : *body.mutable_output())
        if (const auto found = names.find(output.name()); found != names.end()) output.set_name(found->second);
}

class Rewriting {
public:
    Rewriting(Understood model, const graph::Graph& original, const graph::Graph& rewritten)
        : model_(std::move(model)), original_(original), rewritten_(rewritten), derivation_(*rewritten.derivation()) {}

    Result<RewrittenModel> run(ImportOptions options, const std::string& file) {
        for (std::size_t v = 0; v < rewritten_.operator_count(); ++v) visit(OperatorId(v));
        add_dimensions(options);
        auto proto = std::move(model_.model);
        GraphProto& graph = *proto->mutable_graph();
        // The nodes are changed through `scope`, which points at them; it is not looked at afterwards.
        for (const auto& [node, names] : changed_) rename_reads(*model_.scope->nodes[node].node, names);
        for (NodeProto& node : added_) *graph.add_node() = std::move(node);
        for (auto& info : infos_) *graph.add_value_info() = std::move(info);
        model_ = {};
        auto understood = understand(std::move(proto), file, options);
        if (!understood) return fail(std::move(understood.error()));
        return RewrittenModel{std::move(*understood), std::move(sources_)};
    }

private:
    [[nodiscard]] const std::string& name(const graph::Graph& graph, TensorId id) const { return graph[id].name; }

    void visit(OperatorId id) {
        const OperatorId origin = derivation_.origin[id.index()];
        if (!derivation_.made[id.index()]) {
            sources_.push_back(original_[origin].source);
            if (Names names = renamed_reads(id, origin); !names.empty())
                changed_.emplace_back(static_cast<std::size_t>(original_[origin].source), std::move(names));
            return;
        }
        sources_.push_back(static_cast<std::int64_t>(model_.scope->nodes.size() + added_.size()));
        NodeProto& node = added_.emplace_back();
        if (origin.valid()) {
            copy(node, id, origin);
        } else {
            node.set_op_type("Identity");
            node.set_name(rewritten_[id].name);
            node.add_input(name(rewritten_, rewritten_.inputs(id)[0]));
            node.add_output(name(rewritten_, rewritten_.outputs(id)[0]));
            declare(name(original_, derivation_.stands_for[rewritten_.outputs(id)[0].index()]), node.output(0));
        }
    }

    [[nodiscard]] const NodeLinks& links_of(OperatorId origin) const {
        return model_.scope->nodes[static_cast<std::size_t>(original_[origin].source)];
    }

    /// As the node's file has the names: what stands for a tensor of the graph (through an Identity that import removed) is renamed as it.
    [[nodiscard]] Names renamed_reads(OperatorId id, OperatorId origin) const {
        const auto before = original_.inputs(origin), after = rewritten_.inputs(id);
        Names of_tensors, names;
        for (std::size_t i = 0; i < before.size(); ++i)
            if (name(original_, before[i]) != name(rewritten_, after[i]))
                of_tensors.emplace(name(original_, before[i]), name(rewritten_, after[i]));
        if (of_tensors.empty()) return names;
        const NodeLinks& links = links_of(origin);
        for (const auto* list : {&links.inputs, &links.captured})
            for (TensorInfo* tensor : *list) {
                if (!tensor) continue;
                const auto found = of_tensors.find(std::string(model_.cleaned.root(tensor)->name));
                if (found != of_tensors.end()) names.emplace(tensor->name, found->second);
            }
        return names;
    }

    void copy(NodeProto& node, OperatorId id, OperatorId origin) {
        const NodeLinks& links = links_of(origin);
        node = *links.node;
        if (!rewritten_[id].name.empty()) node.set_name(rewritten_[id].name);
        rename_reads(node, renamed_reads(id, origin));
        Names outputs;
        for (std::size_t i = 0; i < original_.outputs(origin).size(); ++i)
            outputs.emplace(name(original_, original_.outputs(origin)[i]), name(rewritten_, rewritten_.outputs(id)[i]));
        for (std::string& output : *node.mutable_output()) {
            if (output.empty()) continue;
            const auto found = outputs.find(output);
            std::string fresh = found == outputs.end() ? unread(output) : found->second;
            declare(output, fresh);
            output = std::move(fresh);
        }
    }

    /// No operator reads it, but the node has it.
    [[nodiscard]] std::string unread(const std::string& output) {
        std::string name;
        do name = std::format("{}@unread{}", output, ++unread_);
        while (model_.scope->names.contains(name));
        return name;
    }

    /// What the file says of a tensor it says of a copy.
    void declare(const std::string& from, const std::string& to) {
        const auto found = model_.scope->names.find(from);
        if (found == model_.scope->names.end() || !found->second->declared) return;
        auto& info = infos_.emplace_back();
        info.set_name(to);
        *info.mutable_type() = *found->second->declared;
    }

    /// --dim TENSOR.axis is meant for its copies too.
    void add_dimensions(ImportOptions& options) const {
        const auto given = options.dimensions;
        for (std::size_t t = original_.tensor_count(); t < rewritten_.tensor_count(); ++t) {
            const std::string& from = name(original_, derivation_.stands_for[t]);
            for (const auto& [dimension, size] : given)
                if (dimension.size() > from.size() && dimension.starts_with(from) && dimension[from.size()] == '.')
                    options.dimensions.emplace_back(name(rewritten_, TensorId(t)) + dimension.substr(from.size()), size);
        }
    }

    Understood model_;
    const graph::Graph& original_;
    const graph::Graph& rewritten_;
    const graph::Derivation& derivation_;
    std::vector<std::int64_t> sources_;
    std::vector<std::pair<std::size_t, Names>> changed_;
    std::vector<NodeProto> added_;
    std::vector<::onnx::ValueInfoProto> infos_;
    std::size_t unread_ = 0;
};

}  // namespace

Result<RewrittenModel> rewrite_model(Understood model, const graph::Graph& original, const graph::Graph& rewritten,
                                     const ImportOptions& options, const std::string& file) {
    return Rewriting(std::move(model), original, rewritten).run(options, file);
}

}  // namespace sluice::onnx
