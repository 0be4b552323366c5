// Lower bounds on training plans: prices of devices and of paths under which every faster plan costs more than there is
// (bound/check_training.hpp proves what they prove). They hold at once what D devices do at the efficiency that the micro-batches allow,
// the longest path of a micro-batch, what must wait for the first forward passes, and operators that fit a device only so often and are
// dear to replicate.
//
// The value is found by bisection. For a time T, a node's options that are within T cost shares of a device; Lagrange multipliers of paths
// are raised by subgradient steps where the cheapest options break them (Polyak's step towards a small excess), with the longest paths and
// windows under the present choice joining; then roundings of shares are chosen one number of replicas after the other. Floating point
// throughout: the checker has the last word, and the value gives way until it agrees.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/stop.hpp"
#include "sluice/bound/certificate_training.hpp"
#include "sluice/cost/training_problem.hpp"

namespace sluice::bound {

/// A certificate that check_training accepts; stopped early, a weaker one. DiagnosticKind::infeasible when no plan fits the memory, with
/// the operator and the number that make it so. `micro_batch`: on plans alone all of whose stages have this one, a divisor of the
/// mini-batch; such a bound is higher. Deterministic without a deadline.
[[nodiscard]] Result<TrainingCertificate> bound_training(const cost::TrainingProblem& problem, TrainingObjective objective,
                                                         const Limits& limits, std::optional<std::int64_t> micro_batch = {});

}  // namespace sluice::bound
