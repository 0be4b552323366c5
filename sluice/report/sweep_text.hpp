// What `sweep` prints: a row for each number of stages, and where more of them stop to help. Pure.
#pragma once

#include <span>
#include <string>

#include "sluice/solve/sweep.hpp"

namespace sluice::report {

/// `objective`: what was optimised; bounds and gaps are on that. `chart`: a bar of the throughput at the end of each row, for a terminal.
[[nodiscard]] std::string sweep_text(std::span<const solve::SweepPoint> points, cost::Objective objective, bool chart);

/// A list with an object for each number of stages; what is not known is null.
[[nodiscard]] std::string sweep_json(std::span<const solve::SweepPoint> points, cost::Objective objective);

}  // namespace sluice::report
