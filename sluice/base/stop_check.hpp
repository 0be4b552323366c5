// Limits for loops whose turns take nanoseconds.
#pragma once

#include <cstdint>

#include "sluice/base/stop.hpp"

namespace sluice {

/// Asks limits (but for evaluations) once in some thousand times. Once it says stop it goes on saying so.
class StopCheck {
public:
    explicit StopCheck(const Limits& limits) : limits_(limits) {}
    [[nodiscard]] bool operator()() {
        if (--turns_ == 0) [[unlikely]]
            ask();
        return stopped_;
    }
    /// Now, whatever the count.
    bool ask();

private:
    static constexpr std::uint32_t kAskEvery = 4096;
    const Limits& limits_;
    std::uint32_t turns_ = kAskEvery;
    bool stopped_ = false;
};

}  // namespace sluice
