// What an operator looks like to a model of the planners' error: local numbers that mean the same in any graph.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sluice/mcm/chip_problem.hpp"

namespace sluice::mcm {

/// log work, log of what enters, log of what leaves, log parameter bytes (all against the graph's mean of those above 0; 0 where there is
/// none), whether there are parameters, readers of what it makes; then one of the operator classes.
inline constexpr std::size_t kLocalNumbers = 6, kLocalFeatures = kLocalNumbers + graph::kOperatorClasses;
using LocalFeatures = std::array<float, kLocalFeatures>;

/// Rows that occur, each once, and which one each node has: layers repeat, so rows are few.
struct FeatureTable {
    std::vector<LocalFeatures> rows;
    std::vector<std::uint32_t> row_of;  // per node
};
/// O(nodes log nodes + edges). Deterministic.
[[nodiscard]] FeatureTable local_features(const ChipProblem& problem);

}  // namespace sluice::mcm
