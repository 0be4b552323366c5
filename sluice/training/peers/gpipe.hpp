// GPipe (Huang et al., NeurIPS 2019, sections 2.2 and 2.3): a linear order of the model cut into as many runs of nearly equal work as there
// are devices, all forward passes before all backward passes, with recomputation from the borders or without. Cut between any two operators
// and, since its users cut between layers, only where no more crosses than usual; every micro-batch size is tried.
// O(nodes log + simulations). Deterministic.
#pragma once

#include "sluice/training/registry.hpp"

namespace sluice::training {

[[nodiscard]] Result<PlannerResult> plan_by_gpipe(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                                  const Limits& limits);

}  // namespace sluice::training
