// The program as JSON, `sluice.program/1`: what the launcher hands to every rank.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "sluice/base/json.hpp"
#include "sluice/program/program.hpp"

namespace sluice::program {

inline constexpr std::string_view kProgramFormat = "sluice.program/1";

[[nodiscard]] nlohmann::ordered_json to_json(const Program& program);
[[nodiscard]] Result<Program> read_program(const json::Node& document);

}  // namespace sluice::program
