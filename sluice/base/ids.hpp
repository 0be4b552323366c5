// Strong indices: an OperatorId cannot be passed where a TensorId is meant. Value types, one 32-bit word, free of cost.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace sluice {

template <typename Tag>
class Id {
public:
    constexpr Id() = default;  // no element
    constexpr explicit Id(std::size_t index) : value_(static_cast<std::uint32_t>(index)) {}

    [[nodiscard]] constexpr std::size_t index() const { return value_; }
    [[nodiscard]] constexpr bool valid() const { return value_ != kNone; }
    friend constexpr auto operator<=>(Id, Id) = default;

private:
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t value_ = kNone;
};

using OperatorId = Id<struct OperatorTag>;    // an operator of a Graph
using TensorId = Id<struct TensorTag>;        // an activation tensor of a Graph
using ParameterId = Id<struct ParameterTag>;  // a weight tensor of a Graph
using NodeId = Id<struct NodeTag>;            // a node of a StageProblem: one operator, or several that must share a stage
using EdgeId = Id<struct EdgeTag>;            // a hyperedge of a StageProblem: one tensor between nodes
using WeightId = Id<struct WeightTag>;        // a parameter of a StageProblem
using ClassId = Id<struct ClassTag>;          // a device class of a platform
using StageId = Id<struct StageTag>;          // a stage of a plan

}  // namespace sluice

template <typename Tag>
struct std::hash<sluice::Id<Tag>> {
    std::size_t operator()(sluice::Id<Tag> id) const noexcept { return std::hash<std::size_t>{}(id.index()); }
};
