#include "sluice/cost/training_times.hpp"

#include <algorithm>

#include "sluice/cost/analytic.hpp"

namespace sluice::cost {

namespace {

__extension__ using Wide = __int128;
using graph::OperatorClass;

/// One pass: `per_batch` bytes and `operations` for the whole batch of the file, `fixed` bytes whatever the batch.
std::optional<PassCost> pass_of(const platform::DeviceClass& device, Bytes fixed, Wide per_batch, double operations, const Demand& demand,
                                std::int64_t rows, std::int64_t batch) {
    if (per_batch > kLargestTotal.count()) return std::nullopt;
    const Bytes one{static_cast<std::int64_t>((per_batch + batch - 1) / batch)};
    const auto memory_fixed = time_for(fixed, device.memory_rate), memory = time_for(one, device.memory_rate);
    const double share = operations / static_cast<double>(batch);
    const auto arithmetic = arithmetic_time(share, demand.rate);
    // The curve: s samples of R rows take s + half_rows / R times what one takes at the full rate.
    const double full = demand.has_rows ? share * device.half_rows * static_cast<double>(batch) / static_cast<double>(rows) : 0;
    const auto arithmetic_fixed = arithmetic_time(full, demand.rate);
    if (!memory_fixed || !memory || !arithmetic || !arithmetic_fixed) return std::nullopt;
    return PassCost{.arithmetic_fixed = arithmetic_fixed->count(),
                    .arithmetic_per_sample = arithmetic->count(),
                    .memory_fixed = memory_fixed->count(),
                    .memory_per_sample = memory->count(),
                    .launch = device.launch.count()};
}

}  // namespace

bool is_floating(graph::DataType type) {
    using enum graph::DataType;
    return type == f64 || type == f32 || type == f16 || type == bf16 || type == f8 || type == other;
}

std::vector<char> tensors_with_gradient(const graph::Graph& graph) {
    std::vector<char> with(graph.tensor_count(), 0);
    for (std::size_t v = 0; v < graph.operator_count(); ++v) {  // in topological order
        const OperatorId id(v);
        const auto trained = [&](ParameterId parameter) { return is_floating(graph[parameter].type); };
        const auto carried = [&](TensorId tensor) { return with[tensor.index()] != 0; };
        if (!std::ranges::any_of(graph.parameters(id), trained) && !std::ranges::any_of(graph.inputs(id), carried)) continue;
        for (const TensorId output : graph.outputs(id)) with[output.index()] = is_floating(graph[output].type) ? 1 : 0;
    }
    return with;
}

std::vector<Trained> trained_operators(const graph::Graph& graph) {
    const std::vector<char> with = tensors_with_gradient(graph);
    std::vector<Trained> trained(graph.operator_count());
    for (std::size_t v = 0; v < graph.operator_count(); ++v) {
        const OperatorId id(v);
        const auto has = [&](TensorId tensor) { return with[tensor.index()] != 0; };
        if (!std::ranges::any_of(graph.outputs(id), has)) continue;  // nothing comes back to it
        trained[v].input = std::ranges::any_of(graph.inputs(id), has);
        trained[v].weights =
            std::ranges::any_of(graph.parameters(id), [&](ParameterId parameter) { return is_floating(graph[parameter].type); });
    }
    return trained;
}

std::optional<OperatorPasses> analytic_passes(const graph::Graph& graph, OperatorId id, const platform::Platform& platform,
                                              const platform::DeviceClass& device, std::int64_t batch, Trained trained) {
    const graph::Features& features = graph[id].features;
    if (features.operator_class == OperatorClass::view) return OperatorPasses{};
    const Demand demand = demand_of(graph, id, platform, device);
    const bool product = features.operator_class == OperatorClass::matrix || features.operator_class == OperatorClass::convolution;
    const Wide read = demand.read.count, written = demand.written.count, kept = demand.kept.count;
    OperatorPasses passes;
    const auto add = [&](PassCost& to, Bytes fixed, Wide per_batch, double operations) {
        const auto pass = pass_of(device, fixed, per_batch, operations, demand, features.rows, batch);
        if (pass) to = *pass;
        return pass.has_value();
    };
    // An embedding reads, and later changes, the rows of its samples: that traffic grows with the batch.
    const bool rows_only = features.operator_class == OperatorClass::embedding;
    const Bytes fixed = rows_only ? Bytes{} : demand.parameters;
    const Wide looked_up = rows_only ? demand.parameters.count : 0;
    if (!add(passes.forward, fixed, read + written + looked_up, demand.operations)) return std::nullopt;
    const auto operations_of = [&](double flops) { return demand.on_vector_unit ? demand.operations : demand.rate > 0 ? flops : 0.0; };
    if (trained.input &&
        !add(passes.input_gradient, fixed, written + read + (product ? 0 : kept), operations_of(features.input_gradient_flops)))
        return std::nullopt;
    if (trained.weights && !add(passes.weight_gradient, fixed, written + kept + looked_up, operations_of(features.weight_gradient_flops)))
        return std::nullopt;
    return passes;
}

OperatorPasses given_passes(Duration forward, std::optional<Duration> backward, Trained trained) {
    OperatorPasses passes;
    passes.forward.arithmetic_per_sample = forward.count();
    if (!trained.input && !trained.weights) return passes;
    const std::int64_t whole = backward ? backward->count() : (trained.input && trained.weights ? 2 : 1) * forward.count();
    const std::int64_t weights = trained.weights ? (trained.input ? whole / 2 : whole) : 0;
    passes.weight_gradient.arithmetic_per_sample = weights;
    passes.input_gradient.arithmetic_per_sample = whole - weights;
    return passes;
}

}  // namespace sluice::cost
