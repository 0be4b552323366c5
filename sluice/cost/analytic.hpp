// The analytic cost model: what an operator does (graph::Features) -> picoseconds on a device class, by the roofline (Williams, Waterman
// and Patterson 2009):  max(arithmetic, memory) + launch.
//   arithmetic  operations / (rate of the data type x efficiency of the operator class x rows / (rows + half_rows));
//               element-wise operators and reductions run on the vector unit where the device has one, elements / its rate
//   memory      activations read and written and parameters read, once each, at the memory's rate
// Views are free. Control flow and unknown operators are costed by their bytes. A data type that the device has no rate for runs at that of
// the nearest wider type it has, else at that of its widest.
// Floating point is used for the arithmetic term only, without a sum that a compiler could fuse, and is rounded up to picoseconds once:
// the same input gives the same integer on every IEEE machine.
#pragma once

#include <optional>

#include "sluice/base/units.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::cost {

/// `bytes` of a tensor of this type when floating-point tensors are counted as `as` (Platform::tensor_type); rounded up. Saturates.
[[nodiscard]] Bytes counted_bytes(Bytes bytes, graph::DataType type, std::optional<graph::DataType> as);

/// The rate that arithmetic in this type runs at, operations a second; 0 when the device has no rate at all.
[[nodiscard]] double rate_of(const platform::DeviceClass& device, graph::DataType type);

/// True when the model knows the operator only by its bytes.
[[nodiscard]] bool costed_by_bytes(const graph::Features& features);

/// What one forward pass of an operator asks of a device: the two sides of the roofline.
struct Demand {
    Bytes read, written, parameters;  // as the platform counts them
    Bytes kept;                       // for the backward pass, counted so too
    double operations = 0;            // FLOPs, or elements on the vector unit; 0 where the operator is costed by bytes
    double rate = 0;                  // of these a second, the class's efficiency included, without the curve over rows
    bool on_vector_unit = false;
    bool has_rows = false;  // the rate is reached by rows / (rows + half_rows)
};
[[nodiscard]] Demand demand_of(const graph::Graph& graph, OperatorId id, const platform::Platform& platform,
                               const platform::DeviceClass& device);
/// Rounded up; nullopt: beyond kLargestTotal, or operations without a rate.
[[nodiscard]] std::optional<Duration> arithmetic_time(double operations, double rate);

/// Time of one operator on a device class, nothing beyond kLargestTotal; nullopt: more than that, or arithmetic without any rate.
/// Needs a positive memory rate.
[[nodiscard]] std::optional<Duration> operator_time(const graph::Graph& graph, OperatorId id, const platform::Platform& platform,
                                                    const platform::DeviceClass& device);

}  // namespace sluice::cost
