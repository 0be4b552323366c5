// Private to this layer. How many samples each stage of a partition may keep in flight so that its devices' memory holds them.
#pragma once

#include "sluice/cost/training_partition.hpp"

namespace sluice::training {

/// Sets in_flight and, where even the least caps do not fit, joint_backward and then recompute (the stage that it frees most for first).
/// Where the backward pass is split, caps are then raised as far as memory allows: to what the deepest stage keeps and, under the list
/// schedule, to `most` times what the rule asks for. False: nothing fits. `allow_recompute` false: never recompute.
[[nodiscard]] bool fit_memory(const cost::TrainingProblem& problem, cost::TrainingPartition& partition, std::int64_t most,
                              bool allow_recompute);

}  // namespace sluice::training
