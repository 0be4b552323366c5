#include "sluice/plan/plan.hpp"

#include <cassert>

#include "sluice/plan/read_partition.hpp"
#include "sluice/plan/validate.hpp"

namespace sluice::plan {

Result<graph::Graph> planned_graph(const Plan& plan, const graph::Graph& model) {
    if (auto other = other_model(plan, model)) return fail(*std::move(other));
    auto graph = graph::rewritten(model, plan.rewrites);
    if (!graph) graph.error().kind = DiagnosticKind::verification;
    return graph;
}

std::vector<OperatorReference> references(const graph::Graph& graph, const cost::StageProblem& problem, std::span<const NodeId> nodes) {
    std::vector<OperatorReference> operators;
    for (const NodeId node : nodes)
        for (const OperatorId id : problem.operators[node.index()]) operators.push_back({id, std::string(graph.first_output_name(id))});
    return operators;
}

Plan describe(const graph::Graph& graph, const platform::Platform& platform, const cost::StageProblem& problem) {
    assert(problem.node_of.size() == graph.operator_count());
    Plan plan;
    plan.model.name = graph.name();
    plan.model.fingerprint = graph.model_fingerprint();
    if (const graph::Derivation* derivation = graph.derivation()) plan.rewrites = derivation->rewrites;
    plan.model.assumptions.assign(graph.assumptions().begin(), graph.assumptions().end());
    plan.platform = platform;
    for (std::size_t v = 0; v < graph.operator_count(); ++v)
        if (!problem.node_of[v].valid()) plan.replicated.push_back({OperatorId(v), std::string(graph.first_output_name(OperatorId(v)))});
    return plan;
}

Plan make_plan(const graph::Graph& graph, const platform::Platform& platform, const cost::FrozenProblem& frozen,
               const cost::Partition& partition, std::int64_t stage_limit) {
    const cost::StageProblem& problem = frozen.problem;
    Plan plan = describe(graph, platform, problem);
    plan.stage_limit = stage_limit;
    plan.cost_source = frozen.report.cost_source;
    plan.costs = frozen.costs;

    const cost::PartitionCost cost = cost::price(problem, partition);
    plan.predicted = {.bottleneck = cost.bottleneck, .latency = cost.latency, .peak_memory = cost.peak_memory};
    plan.stages.reserve(partition.stages.size());
    for (std::size_t s = 0; s < partition.stages.size(); ++s) {
        const cost::Stage& stage = partition.stages[s];
        plan.stages.push_back({.operators = references(graph, problem, stage.nodes),
                               .device_class = problem.classes[stage.device.index()].name,
                               .replicas = stage.replicas,
                               .predicted = cost.stages[s]});
    }
    return plan;
}

Result<cost::Partition> partition_of(const Plan& plan, const graph::Graph& graph, const cost::StageProblem& problem) {
    PartitionReading reading = read_partition(plan, graph, problem);
    if (!reading.failures.empty()) return fail(std::move(reading.failures.front()));
    return std::move(reading.partition);
}

}  // namespace sluice::plan
