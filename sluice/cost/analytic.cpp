#include "sluice/cost/analytic.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sluice/base/wide.hpp"

namespace sluice::cost {

namespace {

using graph::DataType;
using graph::OperatorClass;

enum class Kind { floating, integer };
struct TypeTraits {
    Kind kind;
    int bits;
};

TypeTraits traits_of(DataType type) {
    switch (type) {
        case DataType::f64:
            return {Kind::floating, 64};
        case DataType::f32:
            return {Kind::floating, 32};
        case DataType::f16:
        case DataType::bf16:
            return {Kind::floating, 16};
        case DataType::f8:
            return {Kind::floating, 8};
        case DataType::i64:
            return {Kind::integer, 64};
        case DataType::i32:
            return {Kind::integer, 32};
        case DataType::i16:
            return {Kind::integer, 16};
        case DataType::i8:
        case DataType::boolean:
            return {Kind::integer, 8};
        case DataType::i4:
            return {Kind::integer, 4};
        case DataType::text:
            return {Kind::integer, 128};
        case DataType::other:
            return {Kind::integer, 32};
    }
    return {Kind::integer, 32};
}

Bytes saturated(Wide count) { return {static_cast<std::int64_t>(std::min<Wide>(count, std::numeric_limits<std::int64_t>::max()))}; }

/// part x scaled / whole, rounded up: the share of `part` that counting tensors as another type leaves.
Bytes in_proportion(Bytes part, Wide scaled, Wide whole) {
    if (whole == 0 || scaled == whole) return part;
    // part is below 2^63 and scaled at most 8 whole: shorten both until the product fits.
    for (; scaled >= (Wide{1} << 62); scaled = (scaled + 1) / 2) whole /= 2;
    return saturated((static_cast<Wide>(part.count) * scaled + whole - 1) / whole);
}

struct Traffic {
    Wide raw = 0, counted = 0;  // bytes as in the model, bytes as the platform counts them
    Wide elements = 0;
};

template <typename Id>
Traffic traffic_of(const graph::Graph& graph, std::span<const Id> ids, std::optional<DataType> as) {
    Traffic traffic;
    for (Id id : ids) {
        const auto& tensor = graph[id];
        traffic.raw += tensor.bytes.count;
        traffic.counted += counted_bytes(tensor.bytes, tensor.type, as).count;
        traffic.elements += static_cast<Wide>(tensor.bytes.count) * 8 / traits_of(tensor.type).bits;
    }
    return traffic;
}

}  // namespace

std::optional<Duration> arithmetic_time(double operations, double rate) {
    if (operations <= 0) return Duration{0};
    if (!(rate > 0)) return std::nullopt;
    const double picoseconds = std::ceil(operations * 1e12 / rate);
    if (!(picoseconds <= static_cast<double>(kLargestTotal.count()))) return std::nullopt;
    return Duration{static_cast<std::int64_t>(picoseconds)};
}

Bytes counted_bytes(Bytes bytes, DataType type, std::optional<DataType> as) {
    if (!as || traits_of(type).kind != Kind::floating) return bytes;
    const int from = traits_of(type).bits;
    return saturated((static_cast<Wide>(bytes.count) * traits_of(*as).bits + from - 1) / from);
}

double rate_of(const platform::DeviceClass& device, DataType type) {
    // Nearest wider of the same kind, then of the other kind; then the widest of all.
    const TypeTraits wanted = traits_of(type);
    double best = 0;
    int best_rank = std::numeric_limits<int>::max();
    for (std::size_t t = 0; t < graph::kDataTypes; ++t) {
        if (!(device.flops_per_second[t] > 0)) continue;
        const auto candidate = static_cast<DataType>(t);
        const TypeTraits traits = traits_of(candidate);
        const bool other_kind = traits.kind != wanted.kind;
        int rank = traits.bits >= wanted.bits ? (other_kind ? 1000 : 0) + traits.bits : 3000 - traits.bits + (other_kind ? 1 : 0);
        if (candidate == type) rank = -1;
        if (rank < best_rank) {
            best_rank = rank;
            best = device.flops_per_second[t];
        }
    }
    return best;
}

bool costed_by_bytes(const graph::Features& features) {
    return features.operator_class == OperatorClass::unknown || features.operator_class == OperatorClass::control;
}

Demand demand_of(const graph::Graph& graph, OperatorId id, const platform::Platform& platform, const platform::DeviceClass& device) {
    const graph::Features& features = graph[id].features;
    const OperatorClass operator_class = features.operator_class;
    const Traffic inputs = traffic_of(graph, graph.inputs(id), platform.tensor_type);
    const Traffic outputs = traffic_of(graph, graph.outputs(id), platform.tensor_type);
    const Traffic parameters = traffic_of(graph, graph.parameters(id), platform.tensor_type);
    Demand demand;
    demand.read = in_proportion(features.read, inputs.counted, inputs.raw);
    demand.written = in_proportion(features.written, outputs.counted, outputs.raw);
    demand.parameters = in_proportion(features.parameters_read, parameters.counted, parameters.raw);
    demand.kept = in_proportion(features.kept_for_backward, inputs.counted + outputs.counted, inputs.raw + outputs.raw);
    const double efficiency = device.efficiency[static_cast<std::size_t>(operator_class)];
    const bool vector = operator_class == OperatorClass::elementwise || operator_class == OperatorClass::reduction;
    if (vector && device.vector_elements_per_second > 0) {
        // A reduction reads more than it writes; what it reads is what it works on.
        const Wide elements = operator_class == OperatorClass::reduction ? std::max(inputs.elements, outputs.elements) : outputs.elements;
        demand.on_vector_unit = true;
        demand.operations = static_cast<double>(elements);
        demand.rate = device.vector_elements_per_second * efficiency;
    } else if (!costed_by_bytes(features)) {
        const bool counted = platform.tensor_type && traits_of(features.compute_type).kind == Kind::floating;
        demand.operations = features.flops;
        demand.rate = rate_of(device, counted ? *platform.tensor_type : features.compute_type) * efficiency;
        demand.has_rows = features.rows > 0 && device.half_rows > 0;
    }
    return demand;
}

std::optional<Duration> operator_time(const graph::Graph& graph, OperatorId id, const platform::Platform& platform,
                                      const platform::DeviceClass& device) {
    const graph::Features& features = graph[id].features;
    if (features.operator_class == OperatorClass::view) return Duration{0};
    const Demand demand = demand_of(graph, id, platform, device);
    const Bytes bytes = saturated(static_cast<Wide>(demand.read.count) + static_cast<Wide>(demand.written.count) +
                                  static_cast<Wide>(demand.parameters.count));
    const auto memory = time_for(bytes, device.memory_rate);
    if (!memory) return std::nullopt;
    double rate = demand.rate;
    if (demand.has_rows) {
        const auto rows = static_cast<double>(features.rows);
        rate = rate * (rows / (rows + device.half_rows));
    }
    const std::optional<Duration> arithmetic = arithmetic_time(demand.operations, rate);
    if (!arithmetic) return std::nullopt;
    const auto time = checked_add(std::max(*memory, *arithmetic).count(), device.launch.count());
    if (!time || *time > kLargestTotal.count()) return std::nullopt;
    return Duration{*time};
}

}  // namespace sluice::cost
