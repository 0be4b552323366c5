#include "sluice/graph/summary.hpp"

#include <algorithm>

namespace sluice::graph {

Summary summarise(const Graph& graph) {
    Summary s;
    const std::size_t n = graph.operator_count();
    // Replicated operators are no part of the picture: paths and pairs are counted as if their tensors were model inputs.
    std::vector<std::size_t> level(n, 0), population;
    bool names_outputs = false;
    for (const Tensor& tensor : graph.tensors()) {
        s.activations += tensor.bytes;
        s.outputs += tensor.model_output;
        s.unshaped += !tensor.shape_known;
        s.assumed += tensor.shape_assumed;
        names_outputs = names_outputs || tensor.model_output;
    }
    for (const Parameter& parameter : graph.parameters()) s.parameters += parameter.bytes;
    for (std::size_t t = 0; t < graph.tensor_count(); ++t) s.inputs += !graph.producer(TensorId(t)).valid();

    const auto counted = [&](OperatorId id) { return !graph[id].replicated; };
    for (std::size_t v = 0; v < n; ++v) {
        const OperatorId id(v);
        const Operator& op = graph[id];
        if (op.replicated) {
            ++s.replicated;
            continue;
        }
        ++s.operators;
        s.flops += op.features.flops;
        const auto operator_class = static_cast<std::size_t>(op.features.operator_class);
        ++s.per_class[operator_class];
        s.flops_per_class[operator_class] += op.features.flops;

        std::size_t before = 0;
        for (OperatorId previous : graph.predecessors(id))
            if (counted(previous)) {
                ++before;
                level[v] = std::max(level[v], level[previous.index()] + 1);
            }
        s.edges += before;
        s.sources += before == 0;
        if (population.size() <= level[v]) population.resize(level[v] + 1);
        ++population[level[v]];
        if (std::ranges::none_of(graph.successors(id), counted)) {
            ++s.sinks;
            s.stray_sinks += names_outputs && std::ranges::none_of(graph.outputs(id), [&](TensorId t) { return graph[t].model_output; });
        }
    }
    s.longest_path = population.size();
    if (!population.empty()) s.widest_level = *std::ranges::max_element(population);
    return s;
}

}  // namespace sluice::graph
