// The live line of a terminal and the event file, from one Event (design §6). Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sluice/base/observer.hpp"

namespace sluice::report {

/// "plan 12.4s  best 3.594 ms  bound 3.573 ms  gap 0.58%  [local search]", clipped to `width` columns (0: whatever it takes).
/// What is not known yet is left out; the brackets hold the event's source, else its phase.
[[nodiscard]] std::string progress_line(std::string_view verb, const Event& event, std::size_t width = 0);

/// One line of JSON with its newline: {"t":1.25,"phase":…,"objective_ps":…,"bound_ps":…,"gap":…,"source":…}; null where unknown.
[[nodiscard]] std::string event_line(const Event& event);

}  // namespace sluice::report
