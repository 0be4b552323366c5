#include <algorithm>
#include <format>
#include <functional>
#include <queue>

#include "sluice/onnx/import/scope.hpp"

namespace sluice::onnx {

namespace {

class Linker {
public:
    explicit Linker(const std::string& file) : file_(file) {}

    Result<std::unique_ptr<Scope>> link(::onnx::GraphProto& graph, const Scope* parent) {
        auto scope = std::make_unique<Scope>();
        scope->graph = &graph;
        scope->parent = parent;
        if (auto done = define(*scope); !done) return fail(done.error());
        if (auto done = connect(*scope); !done) return fail(done.error());
        if (auto done = sort(*scope); !done) return fail(done.error());
        return scope;
    }

private:
    std::unexpected<Diagnostic> error(std::string message) const { return fail(input_error(std::move(message)).at({file_, 0, 0})); }

    /// Every name that the graph itself makes, each once.
    Result<void> define(Scope& scope) {
        ::onnx::GraphProto& graph = *scope.graph;
        const auto add = [&](std::string_view name) -> TensorInfo* {
            const auto [place, fresh] = scope.names.try_emplace(name, nullptr);
            if (!fresh) return nullptr;
            TensorInfo& tensor = scope.tensors.emplace_back();
            tensor.name = name;
            tensor.scope = &scope;
            place->second = &tensor;
            return &tensor;
        };
        for (const auto& input : graph.input()) {
            TensorInfo* tensor = input.name().empty() ? nullptr : add(input.name());
            if (!tensor) {
                return input.name().empty() ? error("a model input has no name")
                                            : error(std::format("two model inputs are named '{}'", input.name()));
            }
            tensor->graph_input = true;
            if (input.has_type()) tensor->declared = &input.type();
            scope.inputs.push_back(tensor);
        }
        const auto add_initializer = [&](const ::onnx::TensorProto& data) -> Result<TensorInfo*> {
            if (data.name().empty()) return error("an initializer has no name");
            // Before IR version 4 every initializer is also listed as an input, and since then it may be one with a default.
            TensorInfo* tensor = add(data.name());
            if (!tensor) tensor = scope.names.at(data.name());
            if (tensor->initializer) return error(std::format("two initializers are named '{}'", data.name()));
            tensor->initializer = &data;
            return tensor;
        };
        for (const auto& data : graph.initializer()) {
            if (auto tensor = add_initializer(data); !tensor) return fail(tensor.error());
        }
        for (const auto& data : graph.sparse_initializer()) {
            auto tensor = add_initializer(data.values());
            if (!tensor) return fail(tensor.error());
            (*tensor)->sparse = &data;
        }
        scope.nodes.resize(static_cast<std::size_t>(graph.node_size()));
        for (int i = 0; i < graph.node_size(); ++i) {
            auto& node = *graph.mutable_node(i);
            auto& links = scope.nodes[static_cast<std::size_t>(i)];
            links.node = &node;
            for (const std::string& output : node.output()) {
                TensorInfo* tensor = output.empty() ? nullptr : add(output);
                if (!output.empty() && !tensor) {
                    const TensorInfo& other = *scope.names.at(output);
                    return error(std::format("tensor '{}' has two makers: {} and {}", output,
                                             other.producer ? label(*scope.nodes[*other.producer].node)
                                                            : std::string(other.initializer ? "an initializer" : "a model input"),
                                             label(node)));
                }
                if (tensor) tensor->producer = static_cast<std::size_t>(i);
                links.outputs.push_back(tensor);
            }
        }
        for (const auto& info : graph.value_info()) {
            const auto found = scope.names.find(info.name());
            if (found != scope.names.end() && info.has_type() && !found->second->declared) found->second->declared = &info.type();
        }
        return {};
    }

    /// The tensor of that name here or outside; an outer one is noted as captured on the way.
    TensorInfo* resolve(Scope& scope, std::string_view name) {
        for (const Scope* place = &scope; place != nullptr; place = place->parent) {
            const auto found = place->names.find(name);
            if (found == place->names.end()) continue;
            if (place != &scope) capture(scope, found->second);
            return found->second;
        }
        return nullptr;
    }

    static void capture(Scope& scope, TensorInfo* tensor) {
        if (scope.captured_set.insert(tensor).second) scope.captured.push_back(tensor);
    }

    Result<void> connect(Scope& scope) {
        scope.node_count = scope.nodes.size();
        for (NodeLinks& links : scope.nodes) {
            std::unordered_set<const TensorInfo*> seen;
            for (const std::string& input : links.node->input()) {
                TensorInfo* tensor = input.empty() ? nullptr : resolve(scope, input);
                if (!input.empty() && !tensor) return error(std::format("{} reads '{}', which nothing makes", label(*links.node), input));
                links.inputs.push_back(tensor);
            }
            for (auto& attribute : *links.node->mutable_attribute()) {
                if (attribute.has_g()) {
                    if (auto done = add_body(scope, links, seen, attribute.name(), *attribute.mutable_g()); !done) return done;
                }
                for (auto& graph : *attribute.mutable_graphs()) {
                    if (auto done = add_body(scope, links, seen, attribute.name(), graph); !done) return done;
                }
            }
        }
        for (const auto& output : scope.graph->output()) {
            TensorInfo* tensor = resolve(scope, output.name());
            if (!tensor) return error(std::format("the output '{}' is made by nothing", output.name()));
            if (output.has_type() && !tensor->declared) tensor->declared = &output.type();
            if (tensor->scope == &scope) tensor->graph_output = true;
            scope.outputs.push_back(tensor);
        }
        return {};
    }

    Result<void> add_body(Scope& scope, NodeLinks& links, std::unordered_set<const TensorInfo*>& seen, std::string_view attribute,
                          ::onnx::GraphProto& graph) {
        auto body = link(graph, &scope);
        if (!body) return fail(body.error());
        for (TensorInfo* tensor : (*body)->captured) {
            if (tensor->scope != &scope)
                capture(scope, tensor);
            else if (seen.insert(tensor).second)
                links.captured.push_back(tensor);
        }
        scope.node_count += (*body)->node_count;
        links.bodies.push_back({attribute, std::move(*body)});
        return {};
    }

    template <typename F>
    static void for_each_producer(const Scope& scope, const NodeLinks& links, F f) {
        for (const auto* list : {&links.inputs, &links.captured}) {
            for (TensorInfo* tensor : *list) {
                if (tensor && tensor->scope == &scope && tensor->producer) f(*tensor);
            }
        }
    }

    /// Kahn's algorithm, the smallest index among the ready first, so that an order that is already topological stays.
    Result<void> sort(Scope& scope) {
        const std::size_t count = scope.nodes.size();
        std::vector<std::size_t> waiting(count, 0);
        std::vector<std::vector<std::size_t>> readers(count);
        for (std::size_t i = 0; i < count; ++i) {
            for_each_producer(scope, scope.nodes[i], [&](const TensorInfo& tensor) {
                ++waiting[i];
                readers[*tensor.producer].push_back(i);
            });
        }
        std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
        for (std::size_t i = 0; i < count; ++i) {
            if (waiting[i] == 0) ready.push(i);
        }
        while (!ready.empty()) {
            const std::size_t i = ready.top();
            ready.pop();
            scope.order.push_back(i);
            for (const std::size_t reader : readers[i]) {
                if (--waiting[reader] == 0) ready.push(reader);
            }
        }
        if (scope.order.size() == count) return {};
        return cycle(scope, waiting);
    }

    /// Walking backwards among the nodes that never got ready must come round.
    Result<void> cycle(const Scope& scope, const std::vector<std::size_t>& waiting) const {
        std::vector<const TensorInfo*> path;
        std::vector<std::size_t> seen(scope.nodes.size(), 0);  // place in the path, plus one
        std::size_t at = 0;
        while (waiting[at] == 0) ++at;
        while (seen[at] == 0) {
            seen[at] = path.size() + 1;
            const TensorInfo* via = nullptr;
            for_each_producer(scope, scope.nodes[at], [&](const TensorInfo& tensor) {
                if (!via && waiting[*tensor.producer] > 0) via = &tensor;
            });
            path.push_back(via);
            at = *via->producer;
        }
        std::vector<const TensorInfo*> tensors(path.begin() + static_cast<std::ptrdiff_t>(seen[at]) - 1, path.end());
        std::ranges::reverse(tensors);
        Diagnostic diagnostic =
            input_error(std::format("the graph has a cycle through {} operators; one is {}", tensors.size(), label(*scope.nodes[at].node)));
        std::string names;
        for (std::size_t i = 0; i < std::min<std::size_t>(tensors.size(), 6); ++i) names += std::format("'{}' -> ", tensors[i]->name);
        names += tensors.size() > 6 ? std::format("{} more -> '{}'", tensors.size() - 6, tensors.front()->name)
                                    : std::format("'{}'", tensors.front()->name);
        return fail(std::move(diagnostic).at({file_, 0, 0}).note("along the tensors " + names));
    }

    const std::string& file_;
};

}  // namespace

std::string label(const ::onnx::NodeProto& node) {
    if (!node.name().empty()) return std::format("'{}' ({})", node.name(), node.op_type());
    for (const std::string& output : node.output()) {
        if (!output.empty()) return std::format("{} -> '{}'", node.op_type(), output);
    }
    return node.op_type().empty() ? "an operator without a type" : node.op_type();
}

Result<std::unique_ptr<Scope>> link(::onnx::GraphProto& graph, const std::string& file) { return Linker(file).link(graph, nullptr); }

}  // namespace sluice::onnx
