#include "sluice/graph/rewrite.hpp"

#include <algorithm>
#include <cassert>
#include <format>
#include <utility>

namespace sluice::graph {

std::string_view to_text(RewriteKind kind) {
    switch (kind) {
        case RewriteKind::clone:
            return "clone";
        case RewriteKind::recompute:
            return "recompute";
        case RewriteKind::relay:
            return "relay";
    }
    return "";
}

/// The graph as lists that grow; operators keep their number, those of rewrites come after the model's.
class Rewriter {
public:
    explicit Rewriter(const Graph& graph) : graph_(graph) {
        tensors_.assign(graph.tensors().begin(), graph.tensors().end());
        for (std::size_t t = 0; t < tensors_.size(); ++t) {
            tensor_of_.emplace(tensors_[t].name, TensorId(t));
            producers_.push_back(graph.producer(TensorId(t)));
            stands_for_.emplace_back(t);
        }
        for (std::size_t v = 0; v < graph.operator_count(); ++v) {
            const OperatorId id(v);
            const auto inputs = graph.inputs(id);
            nodes_.push_back({.op = graph[id], .inputs = {inputs.begin(), inputs.end()}, .origin = id});
        }
    }

    Result<Graph> run(std::span<const Rewrite> rewrites) {
        if (auto done = apply_all(rewrites); !done) return fail(std::move(done.error()));
        if (rewrites.empty()) return graph_;
        for (const std::size_t v : order()) {
            const Node& node = nodes_[v];
            if (!node.made || node.kind == RewriteKind::relay || node.kind == kind_of(node)) continue;
            number_ = node.number;
            const std::string& name = tensors_[node.outputs.front().index()].name;
            if (node.kind == RewriteKind::recompute)
                return refuse(std::format("'{}' is a clone: what it is made from is at hand in every stage", name), "say \"clone\"");
            return refuse(
                std::format("'{}' is a recompute, since it is made from '{}'", name, tensors_[first_of_model(node)->index()].name),
                "say \"recompute\", or clone the maker of that too");
        }
        return build(rewrites);
    }

    Result<void> settle(std::span<Rewrite> rewrites) {
        if (auto done = apply_all(rewrites); !done) return done;
        for (const std::size_t v : order())
            if (Node& node = nodes_[v]; node.made && node.kind != RewriteKind::relay)
                rewrites[node.number].kind = node.kind = kind_of(node);
        return {};
    }

private:
    struct Node {
        Operator op;
        std::vector<TensorId> inputs = {}, outputs = {};  // outputs: of those that rewrites made
        OperatorId origin = {};
        bool made = false;
        RewriteKind kind = RewriteKind::relay;  // of those made
        std::size_t number = 0;                 // of the rewrite that made it
    };

    [[nodiscard]] std::unexpected<Diagnostic> refuse(std::string message, std::string help = {}) const {
        return fail(input_error(std::format("rewrite {}: {}", number_, message)).fix(std::move(help)));
    }
    [[nodiscard]] std::span<const TensorId> outputs(std::size_t v) const {
        return nodes_[v].made ? std::span<const TensorId>(nodes_[v].outputs) : graph_.outputs(OperatorId(v));
    }
    [[nodiscard]] std::string label(std::size_t v) const {
        return nodes_[v].made ? std::format("the maker of '{}'", tensors_[nodes_[v].outputs.front().index()].name)
                              : std::format("operator {} '{}'", v, graph_.label(OperatorId(v)));
    }
    [[nodiscard]] std::string near(std::string_view name) const {
        std::vector<std::string_view> names;
        for (const Tensor& tensor : tensors_) names.push_back(tensor.name);
        const std::string_view found = nearest_match(name, names);
        return found.empty() ? std::string() : std::format("did you mean '{}'?", found);
    }

    [[nodiscard]] Result<std::size_t> resolve(const OperatorName& name) const {
        if (!name.id.valid()) {
            const auto found = tensor_of_.find(name.output);
            if (found == tensor_of_.end()) return refuse(std::format("no earlier rewrite makes '{}'", name.output), near(name.output));
            const OperatorId maker = producers_[found->second.index()];
            if (!maker.valid() || !nodes_[maker.index()].made || nodes_[maker.index()].outputs.front() != found->second)
                return refuse(std::format("'{}' is not the first output of an operator that an earlier rewrite made", name.output),
                              maker.valid() && !nodes_[maker.index()].made
                                  ? std::format("an operator of the model is named with its index: [{}, \"{}\"]", maker.index(),
                                                graph_.first_output_name(maker))
                                  : std::string());
            return maker.index();
        }
        if (name.id.index() >= graph_.operator_count())
            return refuse(
                std::format("there is no operator {}, the model has operators 0 to {}", name.id.index(), graph_.operator_count() - 1));
        const std::string_view output = graph_.first_output_name(name.id);
        if (output == name.output) return name.id.index();
        const auto meant = tensor_of_.find(name.output);
        const OperatorId maker = meant == tensor_of_.end() ? OperatorId() : producers_[meant->second.index()];
        return refuse(std::format("operator {} is said to make '{}', in the model it makes '{}'", name.id.index(), name.output, output),
                      maker.valid() && !nodes_[maker.index()].made ? std::format("operator {} makes '{}'", maker.index(), name.output)
                                                                   : near(name.output));
    }

    [[nodiscard]] Result<void> check_names(const std::vector<std::string>& makes, std::size_t outputs) const {
        if (makes.size() != outputs) return refuse(std::format("it names {} outputs, the new operator has {}", makes.size(), outputs));
        for (std::size_t i = 0; i < makes.size(); ++i) {
            if (makes[i].empty()) return refuse("an output has no name");
            if (tensor_of_.contains(makes[i]) || std::ranges::find(makes.begin(), makes.begin() + static_cast<std::ptrdiff_t>(i),
                                                                   makes[i]) != makes.begin() + static_cast<std::ptrdiff_t>(i))
                return refuse(std::format("there is already a tensor '{}'", makes[i]), "give the new one its own name");
        }
        return {};
    }

    Result<void> apply_all(std::span<const Rewrite> rewrites) {
        if (graph_.derivation()) return fail(input_error(std::format("'{}' was rewritten before", graph_.name())));
        for (number_ = 0; number_ < rewrites.size(); ++number_)
            if (auto done = apply(rewrites[number_]); !done) return done;
        return {};
    }

    Result<void> apply(const Rewrite& rewrite) {
        if (rewrite.readers.empty()) return refuse("nothing reads what it makes");
        return rewrite.kind == RewriteKind::relay ? relay(rewrite) : copy(rewrite);
    }

    Result<void> copy(const Rewrite& rewrite) {
        if (!rewrite.copied.id.valid())
            return refuse(std::format("'{}' is no operator of the model: only those are copied", rewrite.copied.output));
        const auto found = resolve(rewrite.copied);
        if (!found) return fail(found.error());
        const std::size_t v = *found;
        if (nodes_[v].op.replicated) return refuse(std::format("{} is made again in every stage anyway, for free", label(v)));
        if (nodes_[v].op.colour)
            return refuse(std::format("{} must share a stage with others of its colour and cannot be copied", label(v)));
        if (auto named = check_names(rewrite.makes, outputs(v).size()); !named) return named;
        Node node{.op = nodes_[v].op, .inputs = nodes_[v].inputs, .origin = OperatorId(v), .made = true, .kind = rewrite.kind};
        if (!node.op.name.empty()) node.op.name += suffix_of(rewrite.makes.front());
        const std::vector<TensorId> from(outputs(v).begin(), outputs(v).end());
        return add(std::move(node), from, rewrite);
    }

    Result<void> relay(const Rewrite& rewrite) {
        const auto found = tensor_of_.find(rewrite.tensor);
        if (found == tensor_of_.end()) return refuse(std::format("there is no tensor '{}'", rewrite.tensor), near(rewrite.tensor));
        const TensorId tensor = found->second;
        if (const OperatorId maker = producers_[tensor.index()]; maker.valid() && nodes_[maker.index()].op.replicated)
            return refuse(std::format("'{}' is made again in every stage anyway, for free", rewrite.tensor));
        if (auto named = check_names(rewrite.makes, 1); !named) return named;
        Node node{.op = {}, .inputs = {tensor}, .made = true};
        node.op.name = rewrite.makes.front();
        node.op.type = "Identity";
        node.op.features.operator_class = OperatorClass::view;
        node.op.features.compute_type = tensors_[tensor.index()].type;
        return add(std::move(node), {tensor}, rewrite);
    }

    /// "@copy2" of "x@copy2".
    static std::string suffix_of(const std::string& name) {
        const std::size_t at = name.rfind('@');
        return at == std::string::npos ? '@' + name : name.substr(at);
    }

    /// `from`: what the outputs stand for, one by one.
    Result<void> add(Node node, const std::vector<TensorId>& from, const Rewrite& rewrite) {
        const OperatorId id(nodes_.size());
        const std::size_t first = tensors_.size();
        node.number = number_;
        for (std::size_t i = 0; i < from.size(); ++i) {
            const TensorId made(tensors_.size());
            Tensor tensor = tensors_[from[i].index()];
            tensor.name = rewrite.makes[i];
            tensor.model_output = false;
            tensor_of_.emplace(tensor.name, made);
            tensors_.push_back(std::move(tensor));
            producers_.push_back(id);
            stands_for_.push_back(stands_for_[from[i].index()]);
            node.outputs.push_back(made);
        }
        nodes_.push_back(std::move(node));
        for (const OperatorName& name : rewrite.readers) {
            const auto reader = resolve(name);
            if (!reader) return fail(reader.error());
            if (nodes_[*reader].op.replicated)
                return refuse(std::format("{} is made again in every stage, so it reads no copy", label(*reader)));
            bool reads = false;
            for (TensorId& input : nodes_[*reader].inputs) {
                const auto which = std::ranges::find(from, input);
                if (which == from.end() || *reader == id.index()) continue;
                input = TensorId(first + static_cast<std::size_t>(which - from.begin()));
                reads = true;
            }
            if (!reads)
                return refuse(rewrite.kind == RewriteKind::relay
                                  ? std::format("{} does not read '{}'", label(*reader), rewrite.tensor)
                                  : std::format("{} reads nothing that {} makes", label(*reader), label(rewrite.copied.id.index())));
        }
        return {};
    }

    /// What it reads that a stage without the model's own operators has not; those before it in the order know their kinds.
    [[nodiscard]] std::vector<TensorId>::const_iterator first_of_model(const Node& node) const {
        return std::ranges::find_if(node.inputs, [&](TensorId input) {
            const OperatorId maker = producers_[input.index()];
            return maker.valid() && !nodes_[maker.index()].op.replicated &&
                   !(nodes_[maker.index()].made && nodes_[maker.index()].kind == RewriteKind::clone);
        });
    }
    [[nodiscard]] RewriteKind kind_of(const Node& node) const {
        return first_of_model(node) == node.inputs.end() ? RewriteKind::clone : RewriteKind::recompute;
    }

    /// The model's operators in their order, each after the new ones it reads. What is read by nothing any more comes last.
    [[nodiscard]] std::vector<std::size_t> order() const {
        std::vector<std::size_t> order, open;
        std::vector<char> placed(nodes_.size(), 0);
        for (std::size_t root = 0; root < nodes_.size(); ++root) {
            if (!placed[root]) open.push_back(root);
            while (!open.empty()) {
                const std::size_t v = open.back();
                bool ready = true;
                for (const TensorId input : nodes_[v].inputs)
                    if (const OperatorId maker = producers_[input.index()]; maker.valid() && !placed[maker.index()]) {
                        open.push_back(maker.index());
                        ready = false;
                        break;
                    }
                if (!ready) continue;
                open.pop_back();
                placed[v] = 1;
                order.push_back(v);
            }
        }
        return order;
    }

    [[nodiscard]] GivenCosts costs_in(const std::vector<std::size_t>& order) const {
        GivenCosts costs = *graph_.given_costs();
        for (auto& device : costs.classes) {
            std::vector<std::optional<Duration>> time;
            std::vector<Duration> backward;
            for (const std::size_t v : order) {
                const OperatorId origin = nodes_[v].origin;
                time.push_back(origin.valid() ? device.time[origin.index()] : Duration{0});
                if (!device.backward.empty()) backward.push_back(origin.valid() ? device.backward[origin.index()] : Duration{0});
            }
            device.time = std::move(time);
            device.backward = std::move(backward);
        }
        if (!costs.transfer.empty())
            for (std::size_t t = costs.transfer.size(); t < tensors_.size(); ++t)
                costs.transfer.push_back(costs.transfer[stands_for_[t].index()]);
        return costs;
    }

    Result<Graph> build(std::span<const Rewrite> rewrites) {
        const std::vector<std::size_t> order = this->order();
        auto derivation = std::make_shared<Derivation>();
        derivation->model = graph_.fingerprint();
        derivation->rewrites.assign(rewrites.begin(), rewrites.end());
        GraphBuilder builder(graph_.name());
        if (graph_.given_costs()) builder.set_given_costs(costs_in(order));
        for (const std::string& text : graph_.assumptions()) builder.add_assumption(text);
        for (Tensor& tensor : tensors_) builder.add_tensor(std::move(tensor));
        for (const Parameter& parameter : graph_.parameters()) builder.add_parameter(parameter);
        for (const std::size_t v : order) {
            Node& node = nodes_[v];
            node.op.colour = node.made ? std::nullopt : node.op.colour;
            builder.add_operator(std::move(node.op), node.inputs, outputs(v),
                                 node.origin.valid() ? graph_.parameters(node.origin) : std::span<const ParameterId>());
            derivation->origin.push_back(node.origin);
            derivation->made.push_back(node.made);
        }
        derivation->stands_for = std::move(stands_for_);
        auto graph = std::move(builder).build();
        if (!graph) return graph;
        graph->derivation_ = std::move(derivation);
        return graph;
    }

    const Graph& graph_;
    std::size_t number_ = 0;  // of the rewrite at hand
    std::vector<Node> nodes_;
    std::vector<Tensor> tensors_;
    std::vector<OperatorId> producers_;  // per tensor, numbers of nodes_
    std::vector<TensorId> stands_for_;   // per tensor
    std::unordered_map<std::string, TensorId> tensor_of_;
};

Result<Graph> rewritten(const Graph& graph, std::span<const Rewrite> rewrites) { return Rewriter(graph).run(rewrites); }

Result<void> settle_kinds(const Graph& graph, std::span<Rewrite> rewrites) { return Rewriter(graph).settle(rewrites); }

NewNames::NewNames(const Graph& graph) {
    for (const Tensor& tensor : graph.tensors()) taken_.insert(tensor.name);
}

std::string NewNames::take(std::string_view tensor, std::string_view what) {
    std::size_t& number = last_[std::format("{}@{}", tensor, what)];
    std::string name;
    do name = std::format("{}@{}{}", tensor, what, ++number);
    while (!taken_.insert(name).second);
    return name;
}

}  // namespace sluice::graph
