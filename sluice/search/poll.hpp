// When a search must stop in the middle of a piece of work.
#pragma once

#include "sluice/base/stop.hpp"

namespace sluice::search {

/// Interrupted, or out of time. Who counts evaluations for results that do not depend on the clock gives no deadline.
[[nodiscard]] inline bool must_stop(const Limits& limits) { return limits.interrupted() || limits.out_of_time(); }

}  // namespace sluice::search
