// Checkers of the kinds chain and counting (docs/formats/certificate.md): everything is computed again, from the checkers' own serial
// problem and their own verified flows, and the recursion or sum is held against the claim. Nothing of search/.
#pragma once

#include "sluice/bound/check_serial.hpp"

namespace sluice::bound {

/// Fails with an objection unless the witness proves that no partition has a bottleneck below the claim's value.
/// O(groups (tensors + groups devices replicas)) and three small flows a type.
[[nodiscard]] Result<void> check_chain(const Claim& claim, const ChainWitness& witness);
/// The same; one flow a group.
[[nodiscard]] Result<void> check_counting(const Claim& claim, const CountingWitness& witness);

/// What a stage on 1, 2, … devices may cost at most, in 1/charge.factor, if some partition had a bottleneck below the claim's value.
[[nodiscard]] std::vector<CheckedWide> stage_limits(const CheckedSerial& serial, const CheckedCharge& charge, Duration value);

/// Per type of downsets along a topological order of the groups (mirrored: from its end), 0 to their number, and per devices left: with so
/// many, a downset of this type, other than of all groups, completes only if work - cut, in 1/charge.factor, is at least this. Fails when
/// `until` ends it.
[[nodiscard]] Result<std::vector<std::vector<CheckedWide>>> completion_needs(const CheckedSerial& serial, const CheckedCharge& charge,
                                                                             const std::vector<std::uint32_t>& order, bool mirrored,
                                                                             const std::vector<CheckedWide>& limits, const Limits& until);

/// Per group, rounded down: over a stage on r devices they sum to at most r << kCheckedShift. None: some group fits no stage. Fails when
/// `until` ends it.
[[nodiscard]] Result<std::optional<std::vector<std::int64_t>>> counting_weights(const CheckedSerial& serial, const CheckedCharge& charge,
                                                                                const std::vector<CheckedWide>& limits,
                                                                                const Limits& until);
inline constexpr int kCheckedShift = 32;

}  // namespace sluice::bound
