// The witnesses of kinds exact-lp and solver-claimed in a certificate's JSON.
// Private to this layer.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "sluice/bound/certificate.hpp"

namespace sluice::bound {

inline constexpr std::string_view kLinearProgram = "linear-program";
inline constexpr std::string_view kSolverClaim = "solver-claim";

[[nodiscard]] nlohmann::ordered_json to_json(const LinearProgramWitness& witness);
[[nodiscard]] nlohmann::ordered_json to_json(const SolverClaimWitness& witness);
[[nodiscard]] Result<LinearProgramWitness> read_linear_program(const json::Node& node);
[[nodiscard]] Result<SolverClaimWitness> read_solver_claim(const json::Node& node);

}  // namespace sluice::bound
