// The independent checker: re-verifies a certificate in exact integers (int64, __int128) from the problem alone. It runs no flow algorithm,
// includes no search/ and no planner (tests/layers enforces it). Linear in problem and certificate.
#pragma once

#include <vector>

#include "sluice/bound/certificate.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::bound {

/// Empty: every partition of `problem` on at most certificate.stages devices, none of its stages on more than certificate.max_replicas, has
/// a bottleneck of at least certificate.value; for the objective latency: every partition, whatever its replicas, a latency of at least
/// that. The model's fingerprint is for the caller to compare: the problem does not know it.
[[nodiscard]] std::vector<Diagnostic> check_certificate(const cost::StageProblem& problem, const Certificate& certificate);

}  // namespace sluice::bound
