// Is an assignment legal? Straight from the definitions of design §3.2, for tests and for whoever did not make it: shares no code with the
// solver. O(edges + C^3). Deterministic.
#pragma once

#include <span>
#include <vector>

#include "sluice/mcm/chip_problem.hpp"

namespace sluice::mcm {

/// What is wrong with it, by the names of operators; empty: legal. Of the triangle rule one fault a pair of chips.
[[nodiscard]] std::vector<Diagnostic> chip_faults(const ChipProblem& problem, std::span<const std::uint8_t> assignment);

}  // namespace sluice::mcm
