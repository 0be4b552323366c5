// `verify`: a plan, and a certificate when there is one, against the model alone. Nothing that the files say is believed:
// the problem is frozen anew from the model and the plan's own platform, and every number is recomputed (design §5).
#pragma once

#include <vector>

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/certificate_training.hpp"
#include "sluice/plan/plan.hpp"

namespace sluice::solve {

struct VerifyReport {
    bool valid = false;      // no failure at all: everything that was given is what it says
    bool certified = false;  // a certificate was given, it proves its bound for this plan, and the plan claims no other
    std::vector<Diagnostic> failures;
    double check_seconds = 0;  // that the certificate took to check
};

/// `model`: as imported; the plan's rewrites are applied here. Linear in model and plan, beside freezing; a certificate takes what its kind
/// takes (bound/check_certificate.hpp). Deterministic but for the seconds.
[[nodiscard]] VerifyReport verify(const graph::Graph& model, const plan::Plan& plan, const bound::Certificate* certificate = nullptr);

/// The same for a training plan, whose iteration time is simulated anew; the certificate may be of either objective.
[[nodiscard]] VerifyReport verify_training(const graph::Graph& graph, const plan::Plan& plan,
                                           const bound::TrainingCertificate* certificate = nullptr);

}  // namespace sluice::solve
