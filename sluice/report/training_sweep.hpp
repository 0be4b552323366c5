// What `sweep --for training` prints: a row for each mini-batch, micro-batch, number of devices and memory. Pure.
#pragma once

#include <span>
#include <string>

#include "sluice/solve/training_sweep.hpp"

namespace sluice::report {

/// `chart`: a bar of the throughput at the end of each row, for a terminal.
[[nodiscard]] std::string training_sweep_text(std::span<const solve::TrainingSweepPoint> points, bool chart);

/// A list with an object for each; what is not known is null.
[[nodiscard]] std::string training_sweep_json(std::span<const solve::TrainingSweepPoint> points);

}  // namespace sluice::report
