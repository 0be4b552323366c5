// The frozen problem that planners, bounds, validator and simulator see (design §3.4): arrays of integers and nothing of ONNX or FLOPs.
// Nodes are numbered in a topological order. A node is one operator of the graph, or several that must share a stage (a colour
// class or a fused kernel, closed under convexity); operators that are replicated for free are not in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/diagnostic.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/base/units.hpp"
#include "sluice/cost/measured.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/graph/node_set.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::cost {

using platform::Overflow;
using platform::StageModel;

/// One device class as the problem sees it.
struct DeviceCosts {
    std::string name;
    std::int64_t count = 0;
    std::vector<Duration> work;  // per node; 0 where not supported
    graph::NodeSet supported;    // nodes that can run on this class
    Overflow overflow = Overflow::unlimited;
    Bytes fast_memory;
    ByteRate spill_rate{1};
};

struct StageProblem {
    StageModel model = StageModel::serial;
    std::vector<DeviceCosts> classes;  // at least one
    // Nodes
    Rows<EdgeId> inputs, outputs;           // per node, distinct, ascending
    Rows<WeightId> weights;                 // per node, distinct, ascending
    Rows<NodeId> predecessors, successors;  // per node, distinct, ascending
    std::vector<Bytes> scratch;             // per node: tensors that live only inside it
    // Edges: one per tensor that can cross a stage border
    std::vector<NodeId> producer;    // invalid: a model input
    Rows<NodeId> consumers;          // distinct, ascending, without the producer itself
    std::vector<Duration> transfer;  // once per stage border crossed; 0 for a model input without host link
    std::vector<Bytes> bytes;
    std::vector<char> to_host;  // 1: leaves its stage in any case (a model output on a platform with a host link)
    // Weights: parameters, each stored once per stage that uses it
    std::vector<Bytes> weight_bytes;
    Rows<NodeId> weight_users;  // distinct, ascending
    // Where it came from
    Rows<OperatorId> operators;    // per node, in topological order
    std::vector<NodeId> node_of;   // per operator of the graph; invalid: replicated for free
    std::vector<TensorId> tensor;  // per edge
    std::string fingerprint;       // of everything above that the objective depends on

    [[nodiscard]] std::size_t node_count() const { return predecessors.size(); }
    [[nodiscard]] std::size_t edge_count() const { return producer.size(); }
    [[nodiscard]] std::size_t weight_count() const { return weight_bytes.size(); }
};

/// What freezing noticed, for the user: "12 operators of unknown type costed by bytes: com.acme.Foo (12)".
struct ProblemReport {
    std::vector<std::string> warnings;
    std::string cost_source;  // "analytic", "given", "measured", "measured 98.2 %, analytic 1.8 %" (of the total time)
};

struct FrozenProblem {
    StageProblem problem;
    ProblemReport report;
    std::optional<MeasuredCosts> costs;  // those that apply: what a plan must hold to be verified
};

/// Features or given times -> integer picoseconds, frozen. With given costs the times are the file's own (the class of the same name, else
/// its first); transfers too when the platform says given_transfers. Measured costs replace, on the one class that they are for, the times
/// of the operators they name, and join those of one fused kernel into a node.
/// `stages` is -k: where it is above the devices of all classes, the first class gets the rest (-k asks "what if there were so many"). 0:
/// as the platform has. Diagnostics: a platform that platform::check refuses; nothing to plan; an operator no class supports; sums beyond
/// kLargestTotal; no transfer bytes where a link needs them; measured costs that do not apply (cost::apply), or are for no class there is.
[[nodiscard]] Result<FrozenProblem> freeze(const graph::Graph& graph, const platform::Platform& platform, std::int64_t stages = 0,
                                           const MeasuredCosts* measured = nullptr);

/// `problem` with transfers that take no time: what is below its bottlenecks holds however transfers are avoided.
[[nodiscard]] StageProblem without_transfers(StageProblem problem);

/// `problem`, frozen for fewer stages, as freeze() with `stages` makes it: only the devices of the first class depend on -k.
void allow_stages(StageProblem& problem, std::int64_t stages);

}  // namespace sluice::cost
