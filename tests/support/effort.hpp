// How many random cases a test tries. A share under sanitizers, which look for memory errors and not for answers; SLUICE_CASES times as
// many in the long run (CONTRIBUTING.md).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/support/sanitized.hpp"

namespace sluice::test {

[[nodiscard]] inline std::uint64_t cases(std::uint64_t all) {
    std::uint64_t times = 1;
    if (const char* text = std::getenv("SLUICE_CASES"))
        if (const std::string_view view(text); std::from_chars(view.data(), view.data() + view.size(), times).ec != std::errc{})
            std::abort();
#ifdef SLUICE_SANITIZED
    return std::max<std::uint64_t>(1, all * times / 32);
#else
    return all * times;
#endif
}

/// The step through a list of real files: all of them, or one in so many under sanitizers.
[[nodiscard]] constexpr std::size_t one_in([[maybe_unused]] std::size_t many) {
#ifdef SLUICE_SANITIZED
    return many;
#else
    return 1;
#endif
}

}  // namespace sluice::test
