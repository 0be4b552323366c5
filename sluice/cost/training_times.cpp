#include "sluice/cost/training_times.hpp"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "sluice/base/wide.hpp"
#include "sluice/cost/analytic.hpp"

namespace sluice::cost {

namespace {

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

/// What one pass takes over so many samples.
struct Point {
    std::int64_t samples, time;
};

/// value * to / from, rounded up; nullopt beyond kLargestTotal.
std::optional<std::int64_t> scaled(std::int64_t value, std::int64_t to, std::int64_t from) {
    const Wide product = (static_cast<Wide>(value) * to + from - 1) / from;
    return product > kLargestTotal.count() ? std::nullopt : std::optional(static_cast<std::int64_t>(product));
}

/// The pass, `to` long where it is `from` long; `from` above 0.
std::optional<PassCost> scaled(PassCost pass, std::int64_t to, std::int64_t from) {
    for (std::int64_t* part :
         {&pass.arithmetic_fixed, &pass.arithmetic_per_sample, &pass.memory_fixed, &pass.memory_per_sample, &pass.launch}) {
        const auto value = scaled(*part, to, from);
        if (!value) return std::nullopt;
        *part = *value;
    }
    return pass;
}

/// pass.at(samples), which may be too long to count.
std::optional<std::int64_t> counted_at(const PassCost& pass, std::int64_t samples) {
    const Wide arithmetic = pass.arithmetic_fixed + static_cast<Wide>(samples) * pass.arithmetic_per_sample,
               memory = pass.memory_fixed + static_cast<Wide>(samples) * pass.memory_per_sample;
    const Wide time = std::max(arithmetic, memory) + pass.launch;
    return time > kLargestTotal.count() ? std::nullopt : std::optional(static_cast<std::int64_t>(time));
}

struct Line {
    std::int64_t fixed, per_sample;
};
/// Through both, or the nearest line above the second that neither falls nor starts below zero.
Line line_through(const Point& a, const Point& b) {
    const std::int64_t rise = std::max<std::int64_t>(0, b.time - a.time), run = b.samples - a.samples;
    const std::int64_t slope = rise / run + (rise % run != 0), through_zero = b.time / b.samples + (b.time % b.samples != 0);
    const std::int64_t per_sample = std::min(slope, through_zero);
    return {std::max<std::int64_t>(0, b.time - per_sample * b.samples), per_sample};
}

/// In thousandths of what was measured, rounded up.
std::int64_t deviation(const PassCost& pass, const std::vector<Point>& points) {
    std::int64_t worst = 0;
    for (const Point& point : points) {
        const std::int64_t off = std::abs(pass.at(point.samples).count() - point.time), whole = std::max<std::int64_t>(1, point.time);
        worst = std::max(worst, static_cast<std::int64_t>((static_cast<Wide>(off) * 1000 + whole - 1) / whole));
    }
    return worst;
}

/// Needs a point.
std::optional<PassCost> fitted(const std::vector<Point>& points, const PassCost& modelled) {
    // A pass of so many samples, many times over, must stay countable.
    for (const Point& point : points)
        if (point.time > kLargestTotal.count()) return std::nullopt;
    const Point& first = points.front();
    const Point& last = points.back();
    if (points.size() == 1) {
        const auto model = counted_at(modelled, first.samples);
        if (!model) return std::nullopt;
        if (*model > 0) return scaled(modelled, first.time, *model);
        return PassCost{.arithmetic_per_sample = first.time / first.samples + (first.time % first.samples != 0)};
    }
    std::optional<PassCost> best;
    for (std::size_t meet = 1; meet < points.size(); ++meet) {
        const Line low = line_through(first, points[meet]), high = meet + 1 < points.size() ? line_through(points[meet], last) : low;
        const PassCost made{.arithmetic_fixed = low.fixed,
                            .arithmetic_per_sample = low.per_sample,
                            .memory_fixed = high.fixed,
                            .memory_per_sample = high.per_sample};
        if (!best || deviation(made, points) < deviation(*best, points)) best = made;
    }
    return best;
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

std::optional<MeasuredFit> measured_passes(const MeasuredEntry& entry, const OperatorPasses& modelled, Trained trained,
                                           std::int64_t batch) {
    std::vector<Point> forward, input, weights;
    for (const MeasuredPasses& passes : entry.passes) {
        forward.push_back({passes.samples, passes.forward.count()});
        if (passes.input_gradient) input.push_back({passes.samples, passes.input_gradient->count()});
        if (passes.weight_gradient) weights.push_back({passes.samples, passes.weight_gradient->count()});
    }
    if (forward.empty()) forward.push_back({batch, entry.time.count()});
    const Point& most = forward.back();
    MeasuredFit fit;
    const auto add = [&](PassCost& to, const std::vector<Point>& points, const PassCost& model) {
        const auto pass = fitted(points, model);
        if (!pass) return false;
        to = *pass;
        fit.deviation = std::max(fit.deviation, deviation(*pass, points));
        return true;
    };
    const auto add_gradient = [&](PassCost& to, const std::vector<Point>& points, const PassCost& model) {
        if (!points.empty()) return add(to, points, model);
        const auto was = counted_at(modelled.forward, most.samples), is = counted_at(model, most.samples);
        if (!was || !is) return false;
        const auto pass = *was > 0 && *is > 0 ? scaled(model, most.time, *was) : std::optional(fit.passes.forward);
        if (pass) to = *pass;
        return pass.has_value();
    };
    if (!add(fit.passes.forward, forward, modelled.forward)) return std::nullopt;
    if (trained.input && !add_gradient(fit.passes.input_gradient, input, modelled.input_gradient)) return std::nullopt;
    if (trained.weights && !add_gradient(fit.passes.weight_gradient, weights, modelled.weight_gradient)) return std::nullopt;
    return fit;
}

}  // namespace sluice::cost
