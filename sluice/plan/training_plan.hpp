// A training plan as a file holds it, and back: what plan.hpp and validate.hpp do for inference.
#pragma once

#include <vector>

#include "sluice/plan/plan.hpp"

namespace sluice::plan {

/// The stages of a partition without faults as the plan names them, with predicted costs; `iteration` is training/evaluate.hpp's.
[[nodiscard]] Plan make_training_plan(const graph::Graph& graph, const platform::Platform& platform, const cost::FrozenTraining& frozen,
                                      const cost::TrainingPartition& partition, Duration iteration);

/// Back to nodes of the problem. Fails as partition_of does, and for a plan of another job.
[[nodiscard]] Result<cost::TrainingPartition> training_partition_of(const Plan& plan, const graph::Graph& graph,
                                                                    const cost::TrainingProblem& problem);

/// What freeze_training needs to make the plan's problem again; the job must be training.
[[nodiscard]] cost::TrainingOptions training_options_of(const Plan& plan);

/// Is this training plan what it says, for this model? As validate(): all but the iteration time, which the schedule decides (a layer
/// above). `frozen` must be made from `graph`, the plan's own platform and training_options_of(plan).
[[nodiscard]] std::vector<Diagnostic> validate_training(const Plan& plan, const graph::Graph& graph, const cost::FrozenTraining& frozen);

}  // namespace sluice::plan
