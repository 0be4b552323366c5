// The independent checker of kind exact-lp: builds the rows of the linear program anew from the problem, in the numbering of
// docs/formats/certificate.md, adds them up with the witness's multipliers and bounds what is left over the box of the variables
// (Neumaier and Shcherbina, Safe bounds in linear and mixed-integer linear programming, 2004). Any multipliers, from whatever solver, give
// a valid bound; bad ones a weak one. Exact in __int128, sums that would leave it are an objection. Shares nothing with the builder.
// O(nodes^2 + rows) time, O(nodes^2 / 64 + nodes * blocks) memory.
#pragma once

#include "sluice/bound/certificate.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::bound {

/// What `witness` proves of every partition on at most `devices` devices, no stage on more than `replicas`.
[[nodiscard]] Result<Duration> proven_by(const cost::StageProblem& problem, std::int64_t devices, std::int64_t replicas,
                                         const LinearProgramWitness& witness);

}  // namespace sluice::bound
