// Job 3 on the command line: what plan, compare, simulate and export do for training.
#pragma once

#include "cli/session.hpp"
#include "sluice/cost/training_partition.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/plan/plan.hpp"
#include "sluice/program/training_program.hpp"
#include "sluice/report/trace.hpp"
#include "sluice/solve/training.hpp"

namespace sluice::cli {

/// --for training
[[nodiscard]] bool is_training(const Arguments& arguments);
/// Refuses flags that the other job alone has, each with what to do instead; and training without --batch.
[[nodiscard]] Result<void> check_job(const Arguments& arguments);

/// A problem ready to plan.
struct PreparedTraining {
    onnx::LoadedModel model;
    platform::Platform platform;
    cost::FrozenTraining frozen;
};
[[nodiscard]] Result<PreparedTraining> prepare_training(Session& session);
/// --micro-batch, --schedule, --recompute, --seed, --threads.
[[nodiscard]] training::PlannerOptions training_options(const Arguments& arguments);

[[nodiscard]] Result<Outcome> plan_training(Session& session);
[[nodiscard]] Result<Outcome> compare_training(Session& session);

/// A training plan read against its model, lowered and checked. Diagnostics as open_plan's.
struct OpenTrainingPlan {
    plan::Plan plan;
    onnx::LoadedModel model;
    cost::TrainingProblem problem;
    cost::TrainingPartition partition;
    program::TrainingProgram program;
};
[[nodiscard]] Result<OpenTrainingPlan> open_training_plan(std::string_view model, plan::Plan plan);

[[nodiscard]] Result<Outcome> simulate_training(Session& session, plan::Plan plan);
/// export --actions
[[nodiscard]] Result<Outcome> export_actions(Session& session);

/// simulate --trace, of any job.
[[nodiscard]] Result<void> write_trace(Session& session, const report::TraceView& trace);

}  // namespace sluice::cli
