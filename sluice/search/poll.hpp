// When a search must stop in the middle of a piece of work.
#pragma once

#include <optional>

#include "sluice/base/stop.hpp"

namespace sluice::search {

/// Interrupted, or out of time. Who counts evaluations for results that do not depend on the clock gives no deadline.
[[nodiscard]] inline bool must_stop(const Limits& limits) { return limits.interrupted() || limits.out_of_time(); }

/// The same with the reason.
[[nodiscard]] inline std::optional<StopReason> limit_reached(const Limits& limits) {
    if (limits.interrupted()) return StopReason::interrupted;
    if (limits.out_of_time()) return StopReason::time;
    return std::nullopt;
}

}  // namespace sluice::search
