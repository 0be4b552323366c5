#include "sluice/onnx/export/slice.hpp"

#include <algorithm>
#include <format>
#include <unordered_set>

namespace sluice::onnx {

namespace {

using Owners = std::span<const std::optional<std::size_t>>;

/// The only operators whose output can be constant though their input is not.
bool is_folded_shape(const NodeLinks& links) {
    const ::onnx::NodeProto& node = *links.node;
    const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
    return standard && (node.op_type() == "Shape" || node.op_type() == "Size") && !links.outputs.empty() && links.outputs[0] &&
           links.outputs[0]->dependence == Dependence::constant && !links.inputs.empty() && links.inputs[0] &&
           links.inputs[0]->dependence != Dependence::constant;
}

class Slicer {
public:
    Slicer(const Understood& model, Owners owner, std::size_t stage) : scope_(*model.scope), cleaned_(model.cleaned), owner_(owner) {
        for (std::size_t i = 0; i < owner.size(); ++i) {
            if (owner[i] == stage) add_node(i);
        }
    }

    Result<Slice> run() {
        drain();
        // Now it is known which tensors the stage has: shapes of these are worked out again, so that the file stays right for other sizes.
        for (std::size_t k = 0; k < shapes_.size(); ++k) {
            const NodeLinks& links = scope_.nodes[shapes_[k]];
            if (has(links.inputs[0])) {
                add_node(shapes_[k]);
                drain();
            } else if (links.outputs[0]->value && links.outputs[0]->value->all_known()) {
                slice_.shapes.push_back(links.outputs[0]);
            } else {
                return fail({DiagnosticKind::internal,
                             std::format("the shape of '{}' is needed in another stage and not known", links.inputs[0]->name),
                             {},
                             {},
                             {}});
            }
        }
        std::vector<std::size_t> place(scope_.nodes.size());
        for (std::size_t k = 0; k < scope_.order.size(); ++k) place[scope_.order[k]] = k;
        std::ranges::sort(slice_.nodes, {}, [&](std::size_t node) { return place[node]; });
        return std::move(slice_);
    }

private:
    void add_node(std::size_t i) {
        if (!nodes_.insert(i).second) return;
        slice_.nodes.push_back(i);
        open_.push_back(i);
    }

    void drain() {
        while (!open_.empty()) {
            const NodeLinks& links = scope_.nodes[open_.back()];
            open_.pop_back();
            for (const auto* list : {&links.inputs, &links.captured}) {
                for (TensorInfo* tensor : *list) visit(tensor);
            }
        }
    }

    void visit(TensorInfo* tensor) {
        if (!tensor || tensor->scope != &scope_ || !seen_.insert(tensor).second) return;
        if (tensor->initializer) {
            slice_.initializers.push_back(tensor);
        } else if (!tensor->producer) {
            add_input(tensor);
        } else if (nodes_.contains(*tensor->producer)) {
            return;
        } else if (owner_[*tensor->producer]) {
            add_input(tensor);
        } else if (is_folded_shape(scope_.nodes[*tensor->producer])) {
            shapes_.push_back(*tensor->producer);
        } else {
            add_node(*tensor->producer);
        }
    }

    void add_input(const TensorInfo* tensor) {
        slice_.inputs.push_back(tensor);
        inputs_.insert(tensor);
    }

    /// The tensor, or the one it stands for, is in the stage already: reading it brings in nothing but Identities.
    [[nodiscard]] bool has(TensorInfo* tensor) const {
        for (const TensorInfo* here : {static_cast<const TensorInfo*>(tensor), static_cast<const TensorInfo*>(cleaned_.root(tensor))}) {
            if (inputs_.contains(here) || (here->producer && nodes_.contains(*here->producer))) return true;
        }
        return false;
    }

    const Scope& scope_;
    const Cleaned& cleaned_;
    Owners owner_;
    Slice slice_;
    std::unordered_set<std::size_t> nodes_;
    std::unordered_set<const TensorInfo*> seen_, inputs_;
    std::vector<std::size_t> open_, shapes_;
};

}  // namespace

Result<Slices> slice_stages(const Understood& model, Owners owner, std::size_t stages) {
    const Scope& scope = *model.scope;
    Slices slices;
    std::vector<std::unordered_set<const TensorInfo*>> is_output(stages);
    for (TensorInfo* output : scope.outputs) {
        TensorInfo* root = model.cleaned.root(output);
        const bool constant = root->initializer || root->dependence == Dependence::constant;
        slices.made_as.push_back(constant ? nullptr : root);
        if (constant || !root->producer) continue;
        const auto stage = owner[*root->producer];
        if (!stage)
            return fail(input_error(
                std::format("{} makes the model output '{}' and is in no stage", label(*scope.nodes[*root->producer].node), output->name)));
        is_output[*stage].insert(root);
    }
    for (std::size_t s = 0; s < stages; ++s) {
        auto slice = Slicer(model, owner, s).run();
        if (!slice) return fail(std::move(slice.error()));
        for (const TensorInfo* input : slice->inputs) {
            if (input->producer) is_output[*owner[*input->producer]].insert(input);
        }
        slices.stages.push_back(std::move(*slice));
    }
    // In the order of the file, whatever the order in which they were found.
    std::unordered_map<const TensorInfo*, std::size_t> place;
    for (const TensorInfo& tensor : scope.tensors) place.emplace(&tensor, place.size());
    const auto by_place = [&](const TensorInfo* tensor) { return place.at(tensor); };
    for (std::size_t s = 0; s < stages; ++s) {
        Slice& slice = slices.stages[s];
        slice.outputs.assign(is_output[s].begin(), is_output[s].end());
        std::ranges::sort(slice.inputs, {}, by_place);
        std::ranges::sort(slice.outputs, {}, by_place);
    }
    return slices;
}

}  // namespace sluice::onnx
