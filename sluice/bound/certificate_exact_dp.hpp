// The witness of kind exact-dp in a certificate's JSON. Kept downsets are the bulk of it: neighbours differ little, so each is written as
// its difference to the one before, numbers of seven bits a byte, in base64 (docs/formats/certificate.md).
// Private to this layer.
#pragma once

#include <nlohmann/json.hpp>

#include "sluice/bound/certificate.hpp"

namespace sluice::bound {

inline constexpr std::string_view kExactDp = "exact-dp";

[[nodiscard]] nlohmann::ordered_json to_json(const ExactDpWitness& witness);
[[nodiscard]] Result<ExactDpWitness> read_exact_dp(const json::Node& node);

}  // namespace sluice::bound
