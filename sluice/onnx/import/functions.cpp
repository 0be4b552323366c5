#include <onnx/inliner/inliner.h>
#include <onnx/onnx_pb.h>

#include <exception>
#include <format>
#include <unordered_map>
#include <vector>

#include "sluice/base/units.hpp"
#include "sluice/onnx/import/parse.hpp"

namespace sluice::onnx {

namespace {

// Real models nest functions a few levels deep; libonnx' inliner recurses on them.
constexpr int kDeepestNesting = 64;
constexpr std::int64_t kMostNodes = 4'000'000;

struct Function {
    const ::onnx::FunctionProto* proto = nullptr;
    enum class State { fresh, open, done } state = State::fresh;
    std::int64_t nodes = 0;  // after expansion
    int height = 0;
};

std::string key(const std::string& domain, const std::string& name, const std::string& overload) {
    return std::format("{}\n{}\n{}", domain == "ai.onnx" ? "" : domain, name, overload);
}

class Expansion {
public:
    Expansion(const ::onnx::ModelProto& model, const std::string& file) : file_(file) {
        for (const auto& function : model.functions())
            functions_[key(function.domain(), function.name(), function.overload())].proto = &function;
    }

    /// Nodes and nesting of `nodes` once all calls are expanded.
    template <typename Nodes>
    Result<void> measure(const Nodes& nodes, int depth, std::int64_t& total, int& height) {
        for (const ::onnx::NodeProto& node : nodes) {
            std::int64_t added = 1;
            if (const auto found = functions_.find(key(node.domain(), node.op_type(), node.overload())); found != functions_.end()) {
                if (auto done = expand(found->second, depth + 1); !done) return done;
                added = found->second.nodes;
                height = std::max(height, found->second.height + 1);
            }
            total += added;
            if (total > kMostNodes) {
                return fail(input_error(std::format("inlining the model's functions would make more than {} operators", kMostNodes))
                                .at({file_, 0, 0}));
            }
            for (const auto& attribute : node.attribute()) {
                if (attribute.has_g()) {
                    if (auto done = measure(attribute.g().node(), depth, total, height); !done) return done;
                }
                for (const auto& graph : attribute.graphs()) {
                    if (auto done = measure(graph.node(), depth, total, height); !done) return done;
                }
            }
        }
        return {};
    }

private:
    Result<void> expand(Function& function, int depth) {
        if (function.state == Function::State::open) {
            return fail(input_error(std::format("function '{}' calls itself", function.proto->name())).at({file_, 0, 0}));
        }
        if (function.state == Function::State::fresh) {
            function.state = Function::State::open;
            if (depth > kDeepestNesting) return too_deep(function);
            if (auto done = measure(function.proto->node(), depth, function.nodes, function.height); !done) return done;
            function.state = Function::State::done;
        }
        if (depth + function.height > kDeepestNesting) return too_deep(function);
        return {};
    }
    Result<void> too_deep(const Function& function) const {
        return fail(input_error(std::format("functions are nested more than {} deep at '{}'", kDeepestNesting, function.proto->name()))
                        .at({file_, 0, 0}));
    }

    std::string file_;
    std::unordered_map<std::string, Function> functions_;
};

}  // namespace

Result<std::size_t> inline_functions(::onnx::ModelProto& model, const std::string& file) {
    const auto before = static_cast<std::size_t>(model.functions_size());
    if (before == 0) return 0;
    Expansion expansion(model, file);
    std::int64_t total = 0;
    int height = 0;
    if (auto done = expansion.measure(model.graph().node(), 0, total, height); !done) return fail(done.error());
    try {
        ::onnx::inliner::InlineLocalFunctions(model);
    } catch (const std::exception& error) {
        return fail(input_error("the model's functions cannot be inlined").at({file, 0, 0}).note(error.what()));
    }
    return before - static_cast<std::size_t>(model.functions_size());
}

}  // namespace sluice::onnx
