// How many random cases a test tries: all in a plain build, a share under sanitizers, which look for memory errors and not for answers.
#pragma once

#include <cstdint>

namespace sluice::testing {

[[nodiscard]] constexpr std::uint64_t cases(std::uint64_t all) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return all / 32;
#else
    return all;
#endif
}

}  // namespace sluice::testing
