// Private to this layer.
// The names of a graph resolved once: every node's inputs and outputs as pointers to what is known of the tensor, bodies of If, Loop and
// Scan as scopes inside, with what they capture from outside (notes/onnx.md §6). Later phases never look up a name.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/onnx/import/value.hpp"

namespace sluice::onnx {

struct Scope;

/// What a tensor depends on. `sizes`: the inputs' data matter only through a size that differs from run to run.
enum class Dependence : std::uint8_t { constant, sizes, data };

struct TensorInfo {
    std::string_view name;
    const Scope* scope = nullptr;                      // where it is defined
    const ::onnx::TypeProto* declared = nullptr;       // the file's own value_info, input or output entry
    const ::onnx::TensorProto* initializer = nullptr;  // the values, when `sparse`
    const ::onnx::SparseTensorProto* sparse = nullptr;
    std::optional<std::size_t> producer;  // node of its scope
    bool graph_input = false, graph_output = false;

    // Set by shape inference.
    ::onnx::TypeProto type;
    std::optional<Value> value;
    Dependence dependence = Dependence::data;
    bool assumed = false;       // some size was bound or assumed
    bool rank_guessed = false;  // not even the rank is known, of it or of what it is made from
    bool varies = false;        // some size differs from run to run: what stands in `type` is a bound or an assumption
};

struct Body {
    std::string_view attribute;
    std::unique_ptr<Scope> scope;
};

struct NodeLinks {
    ::onnx::NodeProto* node = nullptr;
    std::vector<TensorInfo*> inputs, outputs;  // null: an empty optional one
    std::vector<TensorInfo*> captured;         // of this scope, read by the bodies; distinct
    std::vector<Body> bodies;
};

struct Scope {
    ::onnx::GraphProto* graph = nullptr;
    const Scope* parent = nullptr;
    std::deque<TensorInfo> tensors;  // stable addresses
    std::unordered_map<std::string_view, TensorInfo*> names;
    std::vector<NodeLinks> nodes;    // by index in the file
    std::vector<std::size_t> order;  // topological; the file's own when that is one
    std::vector<TensorInfo*> inputs, outputs;
    std::vector<TensorInfo*> captured;  // of scopes outside, distinct
    std::unordered_set<const TensorInfo*> captured_set;
    std::size_t node_count = 0;  // bodies included
};

/// Diagnostics: a name with two makers, a name that nothing makes, a cycle (its operators and tensors named).
[[nodiscard]] Result<std::unique_ptr<Scope>> link(::onnx::GraphProto& graph, const std::string& file);

/// An operator of the ONNX standard.
[[nodiscard]] inline bool is_standard(const ::onnx::NodeProto& node) { return node.domain().empty() || node.domain() == "ai.onnx"; }

/// "'encoder.conv1' (Conv)", or "Conv -> 'y'" for a node without a name.
[[nodiscard]] std::string label(const ::onnx::NodeProto& node);

}  // namespace sluice::onnx
