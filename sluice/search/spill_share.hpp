// Spill as a linear charge (design §3.1, theta-relaxation): theta of the spill is charged to the groups that hold the parameters, and what
// fast memory spares is given back once a stage. Shares round down and the allowance up: rounding never helps a bound.
#pragma once

#include <cstdint>
#include <vector>

#include "sluice/search/serial_problem.hpp"

namespace sluice::search {

/// For every stage: factor f(S) >= factor (work + in + out) + sum of share over S - allowance.
struct SpillShare {
    std::int64_t factor = 1;  // 2 for half of the spill
    std::int64_t allowance = 0;
    std::vector<std::int64_t> share;  // per group
};
[[nodiscard]] SpillShare spill_share(const SerialProblem& problem, std::int64_t theta_halves);

/// factor replicas threshold + allowance, at most kLargestLimit: what the right side above may be.
inline constexpr std::int64_t kLargestLimit = std::int64_t{1} << 60;
[[nodiscard]] std::int64_t stage_limit(const SpillShare& spill, std::int64_t replicas, std::int64_t threshold);

}  // namespace sluice::search
