// What a plan is to be best at. Times both: the bottleneck (1 / throughput) and the latency of one input; replicas divide only the former.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/cost/partition.hpp"

namespace sluice::cost {

/// The one named comes first; the other decides between equals.
enum class Objective { throughput, latency };

inline constexpr std::array kObjectives{Objective::throughput, Objective::latency};
[[nodiscard]] constexpr std::string_view to_text(Objective objective) { return objective == Objective::latency ? "latency" : "throughput"; }
[[nodiscard]] constexpr std::optional<Objective> objective_of(std::string_view text) {
    for (const Objective objective : kObjectives)
        if (to_text(objective) == text) return objective;
    return std::nullopt;
}

[[nodiscard]] inline Duration objective_value(const PartitionCost& cost, Objective objective) {
    return objective == Objective::latency ? cost.latency : cost.bottleneck;
}

[[nodiscard]] inline bool better(const PartitionCost& a, const PartitionCost& b, Objective objective) {
    const auto key = [&](const PartitionCost& cost) {
        return objective == Objective::latency ? std::pair(cost.latency, cost.bottleneck) : std::pair(cost.bottleneck, cost.latency);
    };
    return key(a) < key(b);
}

}  // namespace sluice::cost
