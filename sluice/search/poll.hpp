// When a search must stop in the middle of a piece of work.
#pragma once

#include "sluice/base/stop.hpp"

namespace sluice::search {

/// Interrupted, or out of time unless evaluations are counted: then results must not depend on the clock.
[[nodiscard]] inline bool must_stop(const Limits& limits) { return limits.interrupted() || (!limits.evaluations && limits.out_of_time()); }

}  // namespace sluice::search
