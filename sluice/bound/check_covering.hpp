// Checker of the kind covering (docs/formats/certificate.md, "covering-weights"): no stage weighs more than its devices, by dynamic
// programming along the witness's order, from the checkers' own serial problem. Nothing of search/.
#pragma once

#include "sluice/bound/check_serial.hpp"

namespace sluice::bound {

/// Fails with an objection unless the witness proves that no partition has a bottleneck below the claim's value; also where the tensors
/// that cross a position are too many to tell apart, and when stopped by the limits. O(groups states labels log states) time.
[[nodiscard]] Result<void> check_covering(const Claim& claim, const CoveringWitness& witness);

}  // namespace sluice::bound
