// The checker of exact-dp witnesses: the serial problem with its merges from check_serial.hpp, completion tables and counting weights
// computed again (check_chain.hpp), the kept downsets decoded, and every stage behind each of them enumerated and justified
// (check_stages.hpp, with the proof). Then no partition has f(S) <= r (value - 1) for all its stages, and the bottleneck of every one, an
// integer, is at least the value. Time about that of the search that found the witness, so exponential in the worst case. Deterministic.
#pragma once

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/check_terms.hpp"

namespace sluice::bound {

/// Fails with an objection unless the witness proves that no partition has a bottleneck below claim.value, or when claim.limits stop it.
[[nodiscard]] Result<void> check_exact_dp(const Claim& claim, const ExactDpWitness& witness);

}  // namespace sluice::bound
