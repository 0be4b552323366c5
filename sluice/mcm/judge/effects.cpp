#include "sluice/mcm/judge/effects.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>

#include "sluice/cost/analytic.hpp"

namespace sluice::mcm {

namespace {

using graph::OperatorClass;

/// Elements of all dimensions but the last, and the last; {1, all} for a scalar or an unknown shape.
struct Shape {
    double rows = 1, columns = 1;
};

Shape shape_of(const graph::Tensor& tensor) {
    Shape shape;
    if (!tensor.shape_known || tensor.shape.empty()) {
        shape.columns = std::max<double>(1, static_cast<double>(tensor.bytes.count));
        return shape;
    }
    for (std::size_t d = 0; d + 1 < tensor.shape.size(); ++d) shape.rows *= static_cast<double>(std::max<std::int64_t>(1, tensor.shape[d]));
    shape.columns = static_cast<double>(std::max<std::int64_t>(1, tensor.shape.back()));
    return shape;
}

/// Parts of `size` that `unit` wide pieces cover, over `size`.
double padded(double size, double unit) { return std::ceil(size / unit) * unit / size; }

/// Of a product M x K x N in tiles of the array: columns and rows that stay empty, the wave that runs in and out of each tile.
double systolic(const graph::Graph& graph, OperatorId id, const EffectOptions& options) {
    const graph::Features& features = graph[id].features;
    const auto outputs = graph.outputs(id);
    if (features.rows <= 0 || features.flops <= 0 || outputs.empty()) return 1;
    const Shape output = shape_of(graph[outputs.front()]);
    const double elements = output.rows * output.columns, rows = static_cast<double>(features.rows);
    const double columns = std::max(1.0, std::floor(elements / rows)), inner = std::max(1.0, std::floor(features.flops / (2 * elements)));
    // Two activations: every matrix of the batch has its own tiles, as long as its rows.
    const bool activations = graph.parameters(id).empty() && graph.inputs(id).size() > 1;
    double streamed = rows;
    if (const graph::Tensor& tensor = graph[outputs.front()];
        activations && tensor.shape_known && tensor.shape.size() >= 2 && features.operator_class == OperatorClass::matrix)
        streamed = std::clamp(static_cast<double>(tensor.shape[tensor.shape.size() - 2]), 1.0, rows);
    const double wave = options.exposed_fill * (options.array_rows + options.array_columns) / streamed;
    const double load = activations ? options.activation_load * options.array_rows / streamed : 0;
    return padded(inner, options.piece) * padded(columns, options.piece) * (1 + wave + load);
}

bool works_on_planes(std::string_view type) {
    return type.contains("Pool") || type.contains("BatchNorm") || type.contains("InstanceNorm") || type.contains("GroupNorm");
}

double vector_loss(const graph::Graph& graph, OperatorId id, const EffectOptions& options) {
    const bool reduces = graph[id].features.operator_class == OperatorClass::reduction;
    const auto inputs = graph.inputs(id);
    const auto outputs = graph.outputs(id);
    if (outputs.empty()) return 1;
    const graph::Tensor& tensor = graph[reduces && !inputs.empty() ? inputs.front() : outputs.front()];
    const Shape shape = shape_of(tensor);
    // Rows that follow each other share lanes unless each is reduced on its own; of an image that is a channel's plane.
    double length = reduces ? shape.columns : shape.rows * shape.columns;
    if (reduces && tensor.shape_known && tensor.shape.size() >= 4 && works_on_planes(graph[id].type)) {
        length = 1;
        for (std::size_t d = 2; d < tensor.shape.size(); ++d) length *= static_cast<double>(std::max<std::int64_t>(1, tensor.shape[d]));
    }
    const double steps = length / options.lanes;
    return (std::ceil(steps) + (reduces ? options.row_tail : 0)) / steps;
}

/// Rows a stride apart lie in few of the banks: so many accesses at once go to one.
double conflicts(const graph::Graph& graph, OperatorId id, const platform::Platform& platform, const EffectOptions& options) {
    const graph::Features& features = graph[id].features;
    const double share = options.across_rows[static_cast<std::size_t>(features.operator_class)];
    const auto inputs = graph.inputs(id);
    if (share <= 0 || inputs.empty()) return 1;
    const graph::Tensor& tensor = graph[inputs.front()];
    const Shape shape = shape_of(tensor);
    const double bytes = static_cast<double>(cost::counted_bytes(tensor.bytes, tensor.type, platform.tensor_type).count) / shape.rows;
    const auto lines = static_cast<std::uint64_t>(std::max(1.0, std::floor(bytes / options.bank_bytes)));
    const auto banks = static_cast<std::uint64_t>(options.banks);
    const double together = static_cast<double>(std::min(banks, std::uint64_t{1} << std::countr_zero(lines)));
    return 1 + share * (1 - 1 / together);
}

bool is_view(const graph::Graph& graph, OperatorId id) { return graph[id].features.operator_class == OperatorClass::view; }
bool joins_kernels(const graph::Graph& graph, OperatorId id) {
    return is_view(graph, id) || graph[id].features.operator_class == OperatorClass::elementwise;
}

}  // namespace

EffectOptions EffectOptions::none() {
    EffectOptions options;
    options.array_rows = options.array_columns = options.piece = options.lanes = 1;
    options.exposed_fill = options.activation_load = options.row_tail = options.port_share = 0;
    options.depthwise = 1;
    options.across_rows.fill(0);
    options.issue = options.fused_issue = Duration{0};
    return options;
}

double slowdown(const graph::Graph& graph, OperatorId id, const platform::Platform& platform, const EffectOptions& options) {
    const graph::Features& features = graph[id].features;
    double arithmetic_loss = 1;
    switch (features.operator_class) {
        case OperatorClass::matrix:
        case OperatorClass::convolution:
            arithmetic_loss = systolic(graph, id, options);
            break;
        case OperatorClass::depthwise:
            arithmetic_loss = options.depthwise;
            break;
        case OperatorClass::elementwise:
        case OperatorClass::reduction:
            arithmetic_loss = vector_loss(graph, id, options);
            break;
        default:
            break;
    }
    const double memory_loss = conflicts(graph, id, platform, options);
    const platform::DeviceClass& device = platform.classes.front();
    if (device.memory_rate.bytes_per_second <= 0) return std::max(1.0, memory_loss);  // given costs: nobody knows what bounds it
    const cost::Demand demand = cost::demand_of(graph, id, platform, device);
    const double memory =
        static_cast<double>(demand.read.count) + static_cast<double>(demand.written.count) + static_cast<double>(demand.parameters.count);
    const double memory_time = memory / static_cast<double>(device.memory_rate.bytes_per_second);
    double rate = demand.rate;
    if (demand.has_rows) rate *= static_cast<double>(features.rows) / (static_cast<double>(features.rows) + device.half_rows);
    const double arithmetic_time = demand.operations > 0 && rate > 0 ? demand.operations / rate : 0;
    const double planned = std::max(memory_time, arithmetic_time);
    if (!(planned > 0)) return 1;
    return std::max(1.0, std::max(memory_time * memory_loss, arithmetic_time * arithmetic_loss) / planned);
}

std::vector<NodeEffects> node_effects(const graph::Graph& graph, const cost::StageProblem& costs, const platform::Platform& platform,
                                      const EffectOptions& options) {
    const std::vector<Duration>& planned = costs.classes.front().work;
    const bool analytic = !graph.given_costs() && platform.classes.front().memory_rate.bytes_per_second > 0;
    std::vector<NodeEffects> effects(costs.node_count());
    for (std::size_t v = 0; v < effects.size(); ++v) {
        NodeEffects& effect = effects[v];
        const auto operators = costs.operators[v];
        effect.joins = std::ranges::all_of(operators, [&](OperatorId id) { return joins_kernels(graph, id); });
        effect.view = operators.size() == 1 && is_view(graph, operators.front());
        // A node of several operators: each has its share of the time that planners count, by the planners' own model where there is one.
        double total = 0, slow = 0;
        for (const OperatorId id : operators) {
            double share = 1;
            if (analytic && operators.size() > 1) {
                const auto time = cost::operator_time(graph, id, platform, platform.classes.front());
                share = time ? static_cast<double>(time->count()) : 0;
            }
            total += share;
            slow += share * slowdown(graph, id, platform, options);
            effect.issues |= !is_view(graph, id);
        }
        const double factor = total > 0 ? slow / total : 1;
        effect.work = planned[v];
        if (factor > 1)
            effect.work += Duration{static_cast<std::int64_t>(std::ceil((factor - 1) * static_cast<double>(planned[v].count())))};
    }
    return effects;
}

}  // namespace sluice::mcm
