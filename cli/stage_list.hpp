// `sweep -k` and other lists of numbers. Items with commas between: N, A..B, A..B+STEP, A..B*FACTOR ("1..8", "2,4,8", "2..64*2",
// "4..32+4").
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::cli {

/// Ascending, each once. Usage Diagnostics: no such list; a number below 1; an empty range; more than kMostPoints numbers.
inline constexpr std::size_t kMostPoints = 4096;
[[nodiscard]] Result<std::vector<std::int64_t>> parse_list(std::string_view flag, std::string_view text);

/// Of a whole sweep when --time does not say.
inline constexpr std::chrono::seconds kDefaultSweepTime{60};

/// Without -k: 1, 2, 4, ... and `devices` itself.
[[nodiscard]] std::vector<std::int64_t> usual_stages(std::int64_t devices);

}  // namespace sluice::cli
