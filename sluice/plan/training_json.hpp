// Private to this layer. The parts of a plan file that only training plans have.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "sluice/plan/members.hpp"

namespace sluice::plan {

[[nodiscard]] nlohmann::ordered_json to_json(const TrainingSettings& settings);
/// Needs stage.training.
[[nodiscard]] nlohmann::ordered_json training_stage_json(const PlannedStage& stage);

[[nodiscard]] TrainingSettings read_training_settings(const json::Node& node, std::optional<Diagnostic>& failure);
[[nodiscard]] PlannedStage read_training_stage(const json::Node& node, std::optional<Diagnostic>& failure);
/// Key "bounds": that of the bottleneck; the other must be `iteration` again.
[[nodiscard]] std::optional<BoundClaim> read_bounds(const Members& members, const std::optional<BoundClaim>& iteration);

}  // namespace sluice::plan
