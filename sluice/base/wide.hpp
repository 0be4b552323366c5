// Integers for what does not fit std::int64_t on the way to an exact result, and division that rounds up.
#pragma once

#include <cstdint>

namespace sluice {

/// Holds the product of any two std::int64_t.
__extension__ using Wide = __int128;

/// Wide, so that bytes times it do not overflow.
inline constexpr Wide kPicosecondsPerSecond = 1'000'000'000'000;

/// ceil(a / b); needs a >= 0 and b > 0.
[[nodiscard]] constexpr std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0); }

}  // namespace sluice
