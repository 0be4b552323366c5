// Published profiles hold times and sizes as decimal fractions; here they become integers once. A double stands for the shortest
// decimal that reads back as it, which is what the file's author wrote: 0.696 ms is 696,000,000 ps, not one more.
#pragma once

#include <cstdint>
#include <optional>

namespace sluice::graph {

/// Powers of ten that make picoseconds of seconds and milliseconds, bytes of bytes.
inline constexpr int kSeconds = 12, kMilliseconds = 9, kWholeBytes = 0;

enum class Rounding { up, down };

/// value * 10^power, rounded; nullopt when value is negative, not finite, or the result does not fit int64. Exact.
[[nodiscard]] std::optional<std::int64_t> scaled(double value, int power, Rounding rounding = Rounding::up);

}  // namespace sluice::graph
