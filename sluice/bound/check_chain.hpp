// Checkers of the kinds chain and counting (docs/formats/certificate.md): everything is computed again, from the checkers' own serial
// problem (check_groups.hpp) and their own verified flows (check_flow.hpp), and the recursion or sum is held against the claim. Nothing of
// search/.
#pragma once

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/check_groups.hpp"
#include "sluice/bound/check_terms.hpp"

namespace sluice::bound {

/// Fails with an objection unless the witness proves that no partition has a bottleneck below the claim's value.
/// O(groups (tensors + groups devices replicas)) and three small flows a type.
[[nodiscard]] Result<void> check_chain(const Claim& claim, const ChainWitness& witness);
/// The same; one flow a group.
[[nodiscard]] Result<void> check_counting(const Claim& claim, const CountingWitness& witness);

/// What both work on: the serial problem with theta of the spill charged as work, and what stages may cost if the claim were wrong.
struct CheckedThreshold {
    CheckedGroups groups;
    std::int64_t factor = 1;          // units of what follows a unit of the groups'
    std::vector<std::int64_t> work;   // per group, its share of the spill included, rounded down
    std::int64_t devices = 0;         // no partition uses more
    std::vector<CheckedWide> limits;  // per devices of a stage, from 1: factor scale r (value - 1), and what memory spares, rounded up
};
/// Fails when the terms or the order prove nothing, theta_halves is not 0 to 2 or charged where nothing can spill, or sums are too large.
[[nodiscard]] Result<CheckedThreshold> check_threshold(const Claim& claim, const SerialTerms& terms, std::span<const NodeId> order,
                                                       std::int64_t theta_halves);

}  // namespace sluice::bound
