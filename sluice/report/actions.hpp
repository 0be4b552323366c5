// A training program's passes in the notation of PyTorch's torch.distributed.pipelining: one line of comma-separated actions for each rank
// of the pipeline, "stage F|I|W|B micro-batch" (forward, gradient of the input, gradient of the weights, both), as
// _PipelineScheduleRuntime's CSV loader reads it ("compute_only"). Ranks are the groups of devices, by their first device. Pure.
#pragma once

#include <string>

#include "sluice/base/diagnostic.hpp"
#include "sluice/program/training_program.hpp"

namespace sluice::report {

/// Diagnostics: what that notation, or what runs it, cannot say: stages that are no chain, micro-batches or replicas that differ.
[[nodiscard]] Result<std::string> actions_csv(const program::TrainingProgram& program);

}  // namespace sluice::report
