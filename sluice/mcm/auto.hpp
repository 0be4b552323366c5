// `auto`: what the other methods are good at, one after another, the best kept: the orders sliced under the planners' cost and judged;
// where the judge says otherwise than planned, corrections of that cost (residual/); then large neighbourhoods of the best.
// The last part goes in rounds, each from the best so far: another walk over orders, then neighbourhoods; two without a better plan end it,
// or, where the planners' cost is more than 5 % above what is proven, go over to orders bred from the best and known ones (brkga).
// Never worse under the judge than `order-dp` with as many evaluations. Deterministic under Limits::evaluations.
#pragma once

#include "sluice/mcm/registry.hpp"

namespace sluice::mcm {

[[nodiscard]] Result<PlannerResult> plan_auto(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                              const Limits& limits);

}  // namespace sluice::mcm
