// A finished downset search as a certificate of kind exact-dp. Neighbouring downsets are put side by side, so that the file stays small.
// O(downsets * groups). Deterministic.
#pragma once

#include "sluice/bound/certificate.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/search/refutation.hpp"

namespace sluice::bound {

/// Of the value refutation.threshold + 1. The refutation is of this problem; check_certificate has the last word.
[[nodiscard]] Result<Certificate> certificate_of(const cost::StageProblem& problem, const search::Refutation& refutation);

}  // namespace sluice::bound
