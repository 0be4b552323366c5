#include "sluice/mcm/policy/features.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <utility>

namespace sluice::mcm::policy {

namespace {

/// log(1 + x / mean of those above 0): free of units, 0 for nothing.
void relative(std::vector<double>& values) {
    double sum = 0;
    std::size_t count = 0;
    for (const double value : values)
        if (value > 0) {
            sum += value;
            ++count;
        }
    for (double& value : values) value = sum > 0 ? std::log1p(value * static_cast<double>(count) / sum) : 0;
}

/// Longest path from nodes without `before`, over the longest of all. Nodes are in topological order, backwards for depths to the sink.
std::vector<double> depth_shares(const Rows<NodeId>& before, bool backwards) {
    std::vector<double> depth(before.size());
    double most = 1;
    for (std::size_t i = 0; i < depth.size(); ++i) {
        const std::size_t v = backwards ? depth.size() - 1 - i : i;
        for (const NodeId other : before[v]) depth[v] = std::max(depth[v], depth[other.index()] + 1);
        most = std::max(most, depth[v]);
    }
    for (double& value : depth) value /= most;
    return depth;
}

struct Columns {
    std::vector<double> made, read, work, parameters, transfer, parameter_place;
};

Columns columns_of(const ChipProblem& problem) {
    const cost::StageProblem& costs = *problem.costs;
    const std::size_t nodes = costs.node_count();
    Columns columns;
    for (auto* column : {&columns.made, &columns.read, &columns.work, &columns.parameters, &columns.transfer, &columns.parameter_place})
        column->resize(nodes);
    double total_work = 0, total_parameters = 0;
    for (std::size_t v = 0; v < nodes; ++v) {
        for (const EdgeId edge : costs.outputs[v]) {
            columns.made[v] += static_cast<double>(costs.bytes[edge.index()].count);
            columns.transfer[v] += static_cast<double>(costs.transfer[edge.index()].count());
        }
        for (const EdgeId edge : costs.inputs[v]) columns.read[v] += static_cast<double>(costs.bytes[edge.index()].count);
        for (const WeightId weight : costs.weights[v])
            columns.parameters[v] += static_cast<double>(costs.weight_bytes[weight.index()].count);
        columns.work[v] = static_cast<double>(costs.classes.front().work[v].count());
        columns.parameter_place[v] = total_parameters + columns.parameters[v] / 2;
        total_work += columns.work[v];
        total_parameters += columns.parameters[v];
    }
    const double share = total_work / static_cast<double>(problem.chips);
    for (std::size_t v = 0; v < nodes; ++v) {
        columns.transfer[v] = share > 0 ? std::log1p(10 * columns.transfer[v] / share) : 0;
        columns.parameter_place[v] = total_parameters > 0 ? columns.parameter_place[v] / total_parameters : 0;
    }
    return columns;
}

}  // namespace

Result<Features> features_of(const ChipProblem& problem) {
    const cost::StageProblem& costs = *problem.costs;
    auto positions = equal_work_positions(problem);
    if (!positions) return fail(std::move(positions.error()));
    Features features{.nodes = costs.node_count(),
                      .chips = problem.chips,
                      .values = {},
                      .positions = *std::move(positions),
                      .predecessors = &costs.predecessors,
                      .successors = &costs.successors};
    Columns columns = columns_of(problem);
    std::vector<double> chips_of_work = columns.work;
    double total = 0;
    for (const double work : columns.work) total += work;
    for (double& work : chips_of_work) work = total > 0 ? std::log1p(work * static_cast<double>(problem.chips) / total) : 0;
    for (auto* column : {&columns.made, &columns.read, &columns.work, &columns.parameters}) relative(*column);
    const auto from_source = depth_shares(costs.predecessors, false), to_sink = depth_shares(costs.successors, true);

    features.values.resize(features.nodes * kFeatures);
    for (std::size_t v = 0; v < features.nodes; ++v) {
        const std::span row(features.values.data() + v * kFeatures, kFeatures);
        std::size_t at = 0;
        const auto put = [&](double value) { row[at++] = static_cast<float>(value); };
        const double rank = (static_cast<double>(v) + 0.5) / static_cast<double>(features.nodes);
        const double place = static_cast<double>(features.positions.of_node[v]);
        for (const auto* column : {&columns.made, &columns.read, &columns.work, &chips_of_work, &columns.parameters, &columns.transfer})
            put((*column)[v]);
        put(std::log1p(static_cast<double>(costs.predecessors[v].size())));
        put(std::log1p(static_cast<double>(costs.successors[v].size())));
        put(rank);
        put(from_source[v]);
        put(to_sink[v]);
        put(place);
        put(place - rank);
        put(columns.parameter_place[v]);
        put(std::log2(static_cast<double>(features.positions.usable)) / 6);
        for (std::size_t c = 0; c < graph::kOperatorClasses; ++c)
            put(v < problem.classes.size() && std::cmp_equal(std::to_underlying(problem.classes[v]), c) ? 1 : 0);
        for (int turns = 1; turns <= 8; turns *= 2) {
            put(std::sin(2 * std::numbers::pi * turns * rank));
            put(std::cos(2 * std::numbers::pi * turns * rank));
        }
    }
    return features;
}

}  // namespace sluice::mcm::policy
