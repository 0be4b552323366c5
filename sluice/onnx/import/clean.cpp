#include "sluice/onnx/import/clean.hpp"

#include <algorithm>

#include "sluice/onnx/features.hpp"
#include "sluice/onnx/import/shapes.hpp"

namespace sluice::onnx {

namespace {

enum class Fate : std::uint8_t { stays, folded, passed_through };

template <typename F>
void for_each_input(const NodeLinks& links, F f) {
    for (const auto* list : {&links.inputs, &links.captured}) {
        for (TensorInfo* tensor : *list) {
            if (tensor) f(tensor);
        }
    }
}

class Cleaner {
public:
    explicit Cleaner(const Scope& scope) : scope_(scope), fates_(scope.nodes.size(), Fate::stays) {
        for (const NodeLinks& links : scope.nodes) for_each_input(links, [&](TensorInfo* tensor) { ++readers_[tensor]; });
        for (const TensorInfo* output : scope.outputs) ++readers_[output];
    }

    Cleaned run() {
        for (const std::size_t i : scope_.order) fates_[i] = fate_of(scope_.nodes[i]);
        mark_live();
        return std::move(cleaned_);
    }

private:
    [[nodiscard]] bool is_read(const TensorInfo* tensor) const { return tensor && readers_.contains(tensor); }

    Fate fate_of(const NodeLinks& links) {
        const auto first = std::ranges::find_if(links.outputs, [](const TensorInfo* output) { return output != nullptr; });
        if (first != links.outputs.end() && (*first)->dependence == Dependence::constant) {
            stand_in(links, **first);
            ++cleaned_.folded;
            return Fate::folded;
        }
        const std::string& type = links.node->op_type();
        const bool passes = is_standard(*links.node) && (type == "Identity" || (type == "Dropout" && !is_random(links)));
        const bool one_output = !links.outputs.empty() && links.outputs[0] &&
                                std::none_of(links.outputs.begin() + 1, links.outputs.end(), [&](auto* t) { return is_read(t); });
        if (passes && one_output && !links.inputs.empty() && links.inputs[0]) {
            cleaned_.stands_for[links.outputs[0]] = cleaned_.root(links.inputs[0]);
            ++cleaned_.removed_identities;
            return Fate::passed_through;
        }
        return Fate::stays;
    }

    /// A folded view of an initializer is that initializer, and a dequantised one stays quantised until it is used.
    void stand_in(const NodeLinks& links, TensorInfo& output) {
        if (links.inputs.empty() || !links.inputs[0]) return;
        TensorInfo* source = cleaned_.root(links.inputs[0]);
        if (!source->initializer) return;
        if (is_view(links.node->domain(), links.node->op_type())) {
            cleaned_.stands_for[&output] = source;
            ++cleaned_.aliases;
        } else if (is_standard(*links.node) && links.node->op_type() == "DequantizeLinear") {
            auto& sources = cleaned_.dequantised[&output];
            for (TensorInfo* input : links.inputs) {
                if (input) sources.push_back(cleaned_.root(input));
            }
        }
    }

    /// Backwards from the model's outputs, and from operators whose results the file itself leaves unused.
    void mark_live() {
        std::vector<char> live(scope_.nodes.size(), 0);
        std::vector<std::size_t> stack;
        const auto reach = [&](TensorInfo* tensor) {
            const TensorInfo* root = cleaned_.root(tensor);
            if (!root->producer || root->scope != &scope_) return;
            if (fates_[*root->producer] != Fate::stays || live[*root->producer]) return;
            live[*root->producer] = 1;
            stack.push_back(*root->producer);
        };
        for (TensorInfo* output : scope_.outputs) reach(output);
        for (const std::size_t i : scope_.order) {
            const auto& outputs = scope_.nodes[i].outputs;
            if (fates_[i] != Fate::stays || std::ranges::any_of(outputs, [&](auto* t) { return is_read(t); })) continue;
            cleaned_.stray_sinks.push_back(i);
            live[i] = 1;
            stack.push_back(i);
        }
        while (!stack.empty()) {
            const std::size_t i = stack.back();
            stack.pop_back();
            for_each_input(scope_.nodes[i], reach);
        }
        for (const std::size_t i : scope_.order) {
            if (live[i])
                cleaned_.operators.push_back(i);
            else if (fates_[i] == Fate::stays)
                ++cleaned_.folded;
        }
    }

    const Scope& scope_;
    std::vector<Fate> fates_;
    std::unordered_map<const TensorInfo*, std::size_t> readers_;
    Cleaned cleaned_;
};

}  // namespace

Cleaned clean(const Scope& scope) { return Cleaner(scope).run(); }

}  // namespace sluice::onnx
