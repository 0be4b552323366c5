// Job 3 on the command line: what plan, bound, compare, sweep, simulate and export do for training.
#pragma once

#include <filesystem>

#include "cli/old_plan.hpp"
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
/// Refuses flags that the other job alone has, each with what to do instead.
[[nodiscard]] Result<void> check_job(const Arguments& arguments);
/// Refuses planners that the other job alone has: --method, --methods.
[[nodiscard]] Result<void> check_methods(const Arguments& arguments);
/// Training without --batch, or with one that cannot be.
[[nodiscard]] Result<void> check_batch(const std::optional<std::int64_t>& batch);

/// A problem ready to plan.
struct PreparedTraining {
    onnx::LoadedModel model;
    platform::Platform platform;
    cost::FrozenTraining frozen;
};
/// `old`: its platform where -p names none; refused when it is of another model.
[[nodiscard]] Result<PreparedTraining> prepare_training(Session& session, const OldPlan* old = nullptr);
/// --micro-batch, --schedule, --recompute, --seed, --threads.
[[nodiscard]] training::PlannerOptions training_options(const Arguments& arguments);

/// --from and --against: a training plan; the arguments with everything that they leave open as the plan has it (--dim, --assume-size,
/// --batch, --optimizer); the plan on the problem at hand.
[[nodiscard]] Arguments filled_from_training(const Arguments& arguments, const plan::Plan& plan);
[[nodiscard]] Result<cost::TrainingPartition> partition_of_old(const std::string& file, const OldPlan& old,
                                                               const PreparedTraining& prepared);
/// The same of --from, held against what else is asked for; says what it is.
[[nodiscard]] Result<cost::TrainingPartition> start_of_training(Session& session, const OldPlan& old, const PreparedTraining& prepared);

/// A plan of a solve, and how this call asked for it.
struct PlannedTraining {
    plan::Plan plan;
    solve::TrainingBounds bounds;
};
[[nodiscard]] PlannedTraining planned_training(const Session& session, const PreparedTraining& prepared,
                                               const solve::TrainingSolveOptions& options, solve::TrainingSolveResult result);
/// The certificates first, so that a plan file never stands without them.
[[nodiscard]] Result<void> write_training(const PlannedTraining& planned, const std::filesystem::path& path);
/// "plan.json" -> "plan.bottleneck.certificate.json", and "bound.certificate.json" -> "bound.bottleneck.certificate.json"
[[nodiscard]] std::filesystem::path bottleneck_certificate_path(const std::filesystem::path& path);
/// "sluice VERB MODEL -p PLATFORM --for training --batch N": what a hint begins with.
[[nodiscard]] std::string training_call(std::string_view verb, const Arguments& arguments);

[[nodiscard]] Result<Outcome> plan_training(Session& session);
[[nodiscard]] Result<Outcome> compare_training(Session& session);
[[nodiscard]] Result<Outcome> bound_of_training(Session& session);
[[nodiscard]] Result<Outcome> sweep_training(Session& session);

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
