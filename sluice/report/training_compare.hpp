// What `compare --for training` prints: a row for each method, the best plan and how far the bound is. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "sluice/solve/training.hpp"

namespace sluice::report {

[[nodiscard]] std::string training_compare_text(std::span<const solve::TrainingRow> rows, std::int64_t mini_batch,
                                                const std::optional<plan::BoundClaim>& bound);
/// A list of methods (design §6). What is not known is null.
[[nodiscard]] std::string training_compare_json(std::span<const solve::TrainingRow> rows);

}  // namespace sluice::report
