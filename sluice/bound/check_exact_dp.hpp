// The checker of exact-dp witnesses: rebuilds the serial relaxation and the groups from the problem (check_groups.hpp), decodes the kept
// downsets, and has every stage behind each of them enumerated and justified (check_stages.hpp, with the proof). No partition with
// f(S) <= r (value - 1) for all stages is left, so the bottleneck of every partition, an integer, is at least the value.
// Time about that of the search that found the witness, so exponential in the worst case. Deterministic.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/stop.hpp"
#include "sluice/bound/certificate.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::bound {

/// nullopt: no partition on `devices` devices, none of its stages on more than `replicas`, has a bottleneck below `value`.
[[nodiscard]] std::optional<Diagnostic> objection_to(const cost::StageProblem& problem, const ExactDpWitness& witness, std::int64_t devices,
                                                     std::int64_t replicas, Duration value, const Limits& limits);

}  // namespace sluice::bound
