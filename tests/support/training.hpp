// Training problems of a few lines: a graph of operators with given forward and backward times, on a platform made for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/cost/training_partition.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::test {

struct GivenOperator {
    std::int64_t forward = 1, backward = 2;  // picoseconds for one sample
    std::vector<std::size_t> reads = {};     // operators; none: a model input
    Bytes made{0}, parameters{4};            // for one sample; parameter bytes
    std::optional<std::size_t> ties = {};    // an operator before whose parameters it has instead
};

inline graph::Graph given_graph(const std::vector<GivenOperator>& operators) {
    graph::GraphBuilder builder("given");
    graph::GivenCosts costs;
    costs.classes.push_back({.name = "device", .count = 1, .memory = {}, .time = {}});
    std::vector<TensorId> made;
    std::vector<std::vector<ParameterId>> parameters_of(operators.size());
    for (std::size_t v = 0; v < operators.size(); ++v) {
        const GivenOperator& op = operators[v];
        std::vector<TensorId> reads;
        for (const std::size_t u : op.reads) reads.push_back(made[u]);
        if (reads.empty()) reads.push_back(builder.add_tensor({.name = "in" + std::to_string(v), .shape = {}, .bytes = {}}));
        made.push_back(builder.add_tensor({.name = "t" + std::to_string(v), .shape = {}, .bytes = op.made}));
        std::vector<ParameterId>& parameters = parameters_of[v];
        if (op.ties)
            parameters = parameters_of[*op.ties];
        else if (op.parameters.count > 0)
            parameters.push_back(builder.add_parameter({.name = "w" + std::to_string(v), .shape = {}, .bytes = op.parameters}));
        builder.add_operator({.name = "op" + std::to_string(v), .type = "Op", .features = {}, .colour = {}}, reads,
                             std::vector{made.back()}, parameters);
        costs.classes[0].time.emplace_back(Duration{op.forward});
        costs.classes[0].backward.emplace_back(op.backward);
    }
    builder.set_given_costs(std::move(costs));
    return std::move(builder).build().value();
}

/// `count` devices of one class; chunks take bytes x 1000 ps and no latency (1 GB/s). `memory` 0: unlimited.
inline platform::Platform given_devices(std::int64_t count, Bytes memory = {}) {
    platform::Platform platform;
    platform.name = "given";
    platform::DeviceClass device;
    device.name = "device";
    device.count = count;
    device.memory_rate = ByteRate{1'000'000'000};
    device.overflow = memory.count > 0 ? platform::Overflow::hard : platform::Overflow::unlimited;
    device.fast_memory = memory;
    platform.classes.push_back(device);
    platform.stage_link = {.rate = ByteRate{1'000'000'000}, .latency = Duration{0}};
    platform.model = platform::StageModel::overlap;
    return platform;
}

inline cost::TrainingProblem training_problem(const graph::Graph& graph, const platform::Platform& platform, std::int64_t mini_batch,
                                              cost::Optimizer optimizer = cost::Optimizer::sgd) {
    return cost::freeze_training(graph, platform, {.mini_batch = mini_batch, .optimizer = optimizer}).value().problem;
}

/// `count` operators one after another.
inline std::vector<GivenOperator> chain_of(std::size_t count, GivenOperator each = {}) {
    std::vector<GivenOperator> operators(count, each);
    for (std::size_t v = 1; v < count; ++v) operators[v].reads = {v - 1};
    return operators;
}

/// One stage a device: stage s has the nodes of `nodes[s]`, device s, micro-batches of `micro_batch`.
inline cost::TrainingPartition stages_of(const cost::TrainingProblem& problem, const std::vector<std::vector<std::size_t>>& nodes,
                                         std::int64_t micro_batch, cost::Schedule schedule) {
    cost::TrainingPartition partition{.stages = {}, .schedule = schedule};
    for (std::size_t s = 0; s < nodes.size(); ++s) {
        cost::TrainingStage stage{.nodes = {}, .first_device = static_cast<std::int64_t>(s), .micro_batch = micro_batch};
        for (const std::size_t v : nodes[s]) stage.nodes.emplace_back(v);
        partition.stages.push_back(std::move(stage));
    }
    cost::set_in_flight(problem, partition);
    return partition;
}

/// Stage s is node s.
inline cost::TrainingPartition one_node_a_stage(const cost::TrainingProblem& problem, std::int64_t micro_batch, cost::Schedule schedule) {
    std::vector<std::vector<std::size_t>> nodes;
    for (std::size_t v = 0; v < problem.node_count(); ++v) nodes.push_back({v});
    return stages_of(problem, nodes, micro_batch, schedule);
}

}  // namespace sluice::test
