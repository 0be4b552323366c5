// Identity of a StageProblem: equal where the objective, the constraints and the meaning of node numbers are equal.
#pragma once

#include <string>

#include "sluice/cost/stage_problem.hpp"

namespace sluice::cost {

/// O(size of the problem). The same on every machine: numbers are hashed as little-endian 64-bit words.
[[nodiscard]] std::string fingerprint_of(const StageProblem& problem);

}  // namespace sluice::cost
