// What the policy's network sees of a problem: per node logarithms of bytes and times relative to the problem's own means, places in the
// graph, the operator's class where it is known, Fourier waves of the rank. After Xie et al. (MLSys 2022), section 4, as far as it says,
// plus the position by work (positions.hpp). O(nodes + edges), plus those positions. Deterministic.
#pragma once

#include <cstddef>
#include <vector>

#include "sluice/mcm/policy/positions.hpp"

namespace sluice::mcm::policy {

inline constexpr std::size_t kScalarFeatures = 15;
inline constexpr std::size_t kWaveFeatures = 8;  // sine and cosine of 1, 2, 4 and 8 turns
/// Of a node. The network adds what it made of the node in the pass before.
inline constexpr std::size_t kFeatures = kScalarFeatures + graph::kOperatorClasses + kWaveFeatures;

struct Features {
    std::size_t nodes = 0, chips = 0;
    std::vector<float> values;  // node x kFeatures
    Positions positions;
    const Rows<NodeId>* predecessors = nullptr;  // of the problem's costs, which outlive this
    const Rows<NodeId>* successors = nullptr;
};

/// Diagnostics: those of equal_work_positions.
[[nodiscard]] Result<Features> features_of(const ChipProblem& problem);

}  // namespace sluice::mcm::policy
