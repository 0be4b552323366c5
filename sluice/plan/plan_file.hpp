// The plan file, `sluice.plan/1` JSON: reader and writer. Readers refuse unknown keys and wrong versions with a line.
#pragma once

#include <filesystem>
#include <string>

#include "sluice/base/json.hpp"
#include "sluice/plan/plan.hpp"

namespace sluice::plan {

/// Equal plans give equal bytes. Keys that scripts rely on are in design §6.
[[nodiscard]] std::string to_json_text(const Plan& plan);
[[nodiscard]] Result<Plan> read_plan(const json::Node& document);
[[nodiscard]] Result<Plan> read_plan_file(const std::filesystem::path& path);

}  // namespace sluice::plan
