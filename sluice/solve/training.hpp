// Training plans in one call: bounds, a planner by name, its result judged again, the plan file's content. What `plan --for training`,
// `compare --for training` and `simulate` of a training plan stand on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/bound/certificate_training.hpp"
#include "sluice/plan/plan.hpp"
#include "sluice/program/training_program.hpp"
#include "sluice/training/registry.hpp"

namespace sluice::solve {

/// More micro-batches, over all stages, would fill the memory with instructions.
inline constexpr std::int64_t kMostMicroBatches = std::int64_t{1} << 22;

struct TrainingSolveOptions {
    std::string method;  // empty: the registry's first
    training::PlannerOptions planner = {};
    std::string model = {};                             // Graph::fingerprint, for the certificates
    double gap = 0;                                     // good enough: 1 - bound / iteration at most this
    std::optional<cost::TrainingPartition> start = {};  // nothing worse is given back; faults_of must accept it
};

/// One planner on its own: a row of `compare`.
struct TrainingRow {
    std::string method;
    cost::TrainingPartition partition = {};  // empty: nothing was found, `failure` says why
    cost::TrainingCost cost = {};
    Duration iteration{0};
    std::string winner = {};
    Termination termination = {};  // seconds: of this method alone
    std::optional<Diagnostic> failure = {};
    std::vector<Diagnostic> warnings = {};
};

/// A bound that the independent checker accepted, and how to say so in a plan.
struct TrainingBounds {
    std::optional<bound::TrainingCertificate> iteration = {}, bottleneck = {};
    std::vector<Diagnostic> warnings = {};
};
[[nodiscard]] plan::BoundClaim claim_of(const bound::TrainingCertificate& certificate);

struct TrainingSolveResult {
    TrainingRow found;
    TrainingBounds bounds;
};

/// The partition's program, checked. Fails, as a plan that is not what it says, where it could deadlock or is larger than
/// kMostMicroBatches. Needs a partition without faults.
[[nodiscard]] Result<program::TrainingProgram> training_program_of(const cost::TrainingProblem& problem,
                                                                   const cost::TrainingPartition& partition);

/// Nothing of the planner's own is believed: faults, price and iteration time are computed anew. More than kMostMicroBatches: no plan.
[[nodiscard]] TrainingRow run_training_method(const cost::TrainingProblem& problem, const training::Planner& planner,
                                              const training::PlannerOptions& options, Observer& observer, const Limits& limits);
/// The row with the least iteration time; null when none has a plan.
[[nodiscard]] const TrainingRow* best_of(std::span<const TrainingRow> rows);

/// Whether a planner comes after the bounds.
enum class BoundTime : std::uint8_t { beside_a_planner, all };
/// Bounds on both objectives, with `micro_batch` on plans with that one alone. Beside a planner each gets half of a quarter of the time
/// that is left and at most kMostBoundTime; under an evaluation limit they run to their end, so that they do not depend on the clock.
/// Fails, as infeasible, when no plan fits the memory.
[[nodiscard]] Result<TrainingBounds> prove_training(const cost::TrainingProblem& problem, const std::string& model,
                                                    std::optional<std::int64_t> micro_batch, Observer& observer, const Limits& limits,
                                                    BoundTime time = BoundTime::beside_a_planner);

/// The longest iteration time whose gap to the bound is at most `gap`, which is at least 0 and below 1.
[[nodiscard]] Duration enough_for(Duration bound, double gap);

/// Usage Diagnostics: a micro-batch asked for that does not divide the mini-batch, or makes more than kMostMicroBatches of it on the
/// devices there are.
[[nodiscard]] Result<void> check_training_options(const cost::TrainingProblem& problem, const training::PlannerOptions& options);

/// The bounds, then the planner with the rest of the time, unless the start is good enough. Interrupted or out of time: the best so far.
/// Diagnostics: unknown method, options that check_training_options refuses, the planner's own where there is no start.
[[nodiscard]] Result<TrainingSolveResult> solve_training(const cost::TrainingProblem& problem, const TrainingSolveOptions& options,
                                                         Observer& observer, const Limits& limits);

/// The plan of a solve, complete but for what only the caller knows: model.dimensions, model.assume_size, more options and limit.
[[nodiscard]] plan::Plan make_training_plan(const graph::Graph& graph, const platform::Platform& platform,
                                            const cost::FrozenTraining& frozen, const TrainingSolveOptions& options,
                                            const TrainingSolveResult& result);

}  // namespace sluice::solve
