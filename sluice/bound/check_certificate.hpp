// The independent checker: re-verifies a certificate in exact integers (int64, __int128) from the problem alone. It shares no code with
// search/, planners and their flows (tests/layers enforces it, for every bound/check_*). Linear in problem and certificate for
// combinatorial and cut; chain and counting are computed again, with flows that count only once verified (check_flow.hpp); covering
// prices all stages again, along the order (check_covering.hpp); exact-dp enumerates again, in about the time that the search took
// (check_exact_dp.hpp).
#pragma once

#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/bound/certificate.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::bound {

/// Of which partitions a certificate is to hold. triangle: of those alone that run each operator once on a ring of chips whose triangle
/// rule they keep (design §3.2), where witnesses of kind triangle are accepted, too.
enum class Partitions { all, triangle };

/// Empty: every partition of `problem` on at most certificate.stages devices, none of its stages on more than certificate.max_replicas, has
/// a bottleneck of at least certificate.value; for the objective latency: every partition, whatever its replicas, a latency of at least
/// that. The model's fingerprint is for the caller to compare: the problem does not know it. Stopped by the limits, it objects.
[[nodiscard]] std::vector<Diagnostic> check_certificate(const cost::StageProblem& problem, const Certificate& certificate,
                                                        const Limits& limits = {}, Partitions of = Partitions::all);

}  // namespace sluice::bound
