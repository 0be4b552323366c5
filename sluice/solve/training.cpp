#include "sluice/solve/training.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <format>

#include "sluice/bound/check_training.hpp"
#include "sluice/bound/training_bound.hpp"
#include "sluice/plan/training_plan.hpp"
#include "sluice/training/evaluate.hpp"

namespace sluice::solve {

namespace {

Diagnostic internal_error(std::string message) { return {DiagnosticKind::internal, std::move(message), {}, {}, {}}; }

StopReason why_nothing(const Diagnostic& failure, const Limits& limits) {
    if (failure.kind != DiagnosticKind::stopped) return StopReason::finished;
    return limits.interrupted() ? StopReason::interrupted : StopReason::time;
}

constexpr std::chrono::seconds kMostBoundTime{2};

/// Of one of two bounds.
Limits limits_of_bound(const Limits& limits) {
    if (limits.evaluations || !limits.deadline) return {.deadline = std::nullopt, .evaluations = std::nullopt, .stop = limits.stop};
    const auto now = Limits::Clock::now();
    const auto share = std::min<Limits::Clock::duration>((*limits.deadline - now) / 8, kMostBoundTime);
    return {.deadline = now + share, .evaluations = std::nullopt, .stop = limits.stop};
}

Result<const training::Planner*> planner_of(const std::string& method) {
    return method.empty() ? &training::planners().front() : training::find_planner(method);
}

}  // namespace

Result<program::TrainingProgram> training_program_of(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition) {
    std::int64_t count = 0;
    for (const cost::TrainingStage& stage : partition.stages) count += problem.options.mini_batch / stage.micro_batch;
    if (count > kMostMicroBatches)
        return fail(Diagnostic{
            DiagnosticKind::verification,
            std::format("the plan has {} micro-batches over all its stages; at most {} can be simulated", count, kMostMicroBatches),
            {},
            {},
            "larger micro-batches"});
    program::TrainingProgram program = program::lower_training(problem, partition);
    if (auto faults = program::faults_of(program); !faults.empty()) {
        faults.front().kind = DiagnosticKind::verification;
        return fail(std::move(faults.front()));
    }
    return program;
}

TrainingRow run_training_method(const cost::TrainingProblem& problem, const training::Planner& planner,
                                const training::PlannerOptions& options, Observer& observer, const Limits& limits) {
    TrainingRow row{.method = std::string(planner.name)};
    const auto start = Limits::Clock::now();
    auto result = [&]() -> Result<training::PlannerResult> {
        try {
            return planner.plan(problem, options, observer, limits);
        } catch (const std::exception& error) { return fail(internal_error(std::format("failed: {}", error.what()))); }
    }();
    if (!result) {
        row.termination.reason = why_nothing(result.error(), limits);
        row.failure = std::move(result.error());
        // That a method found nothing proves nothing: what is proven, the bound has said before.
        if (row.failure->kind == DiagnosticKind::infeasible) row.failure->kind = DiagnosticKind::input;
    } else if (auto faults = cost::faults_of(problem, result->partition); !faults.empty()) {
        row.failure = internal_error(std::format("made a plan that does not hold: {}", faults.front().message));
    } else if (const auto other = [&](const cost::TrainingStage& stage) { return stage.micro_batch != options.micro_batch; };
               options.micro_batch && std::ranges::any_of(result->partition.stages, other)) {
        row.failure = internal_error(std::format("made a plan with other micro-batches than {}", *options.micro_batch));
    } else {
        row.termination = result->termination;
        row.cost = cost::price(problem, result->partition);
        row.iteration = training::iteration_time(problem, result->partition);
        row.partition = std::move(result->partition);
        row.winner = std::move(result->winner);
        row.warnings = std::move(result->warnings);
    }
    row.termination.seconds = std::chrono::duration<double>(Limits::Clock::now() - start).count();
    return row;
}

plan::BoundClaim claim_of(const bound::TrainingCertificate& certificate) {
    return {.value = certificate.value, .kind = std::string(bound::kWorkAndPath), .certified = true};
}

Result<TrainingBounds> prove_training(const cost::TrainingProblem& problem, const std::string& model,
                                      std::optional<std::int64_t> micro_batch, Observer& observer, const Limits& limits) {
    TrainingBounds bounds;
    for (const auto objective : {bound::TrainingObjective::iteration, bound::TrainingObjective::bottleneck}) {
        const auto warn = [&](std::string why) {
            bounds.warnings.push_back(internal_error(std::format("the bound on the {} failed: {}", bound::to_text(objective), why)));
        };
        try {
            auto certificate = bound::bound_training(problem, objective, limits_of_bound(limits), micro_batch);
            if (!certificate) {
                if (certificate.error().kind == DiagnosticKind::infeasible) return fail(std::move(certificate.error()));
                if (certificate.error().kind != DiagnosticKind::stopped) warn(certificate.error().message);
                continue;
            }
            if (const auto objections = bound::check_training(problem, *certificate); !objections.empty()) {
                warn(objections.front().message);
                continue;
            }
            certificate->model = model;
            if (objective == bound::TrainingObjective::iteration)
                observer.on_event(
                    {.seconds = 0, .phase = "bound", .objective = {}, .bound = certificate->value, .source = bound::kWorkAndPath});
            (objective == bound::TrainingObjective::iteration ? bounds.iteration : bounds.bottleneck) = std::move(*certificate);
        } catch (const std::exception& error) { warn(error.what()); }
    }
    return bounds;
}

const TrainingRow* best_of(std::span<const TrainingRow> rows) {
    const TrainingRow* best = nullptr;
    for (const TrainingRow& row : rows)
        if (!row.partition.stages.empty() && (best == nullptr || row.iteration < best->iteration)) best = &row;
    return best;
}

Result<void> check_training_options(const cost::TrainingProblem& problem, const training::PlannerOptions& options) {
    const std::int64_t batch = problem.options.mini_batch;
    if (!options.micro_batch || (*options.micro_batch >= 1 && batch % *options.micro_batch == 0)) return {};
    std::string sizes;
    for (const std::int64_t size : training::micro_batches(problem, false)) sizes += std::format("{}{}", sizes.empty() ? "" : ", ", size);
    return fail(usage_error(std::format("micro-batches of {} samples do not divide the mini-batch of {}", *options.micro_batch, batch))
                    .fix(std::format("possible are {}", sizes)));
}

Result<TrainingSolveResult> solve_training(const cost::TrainingProblem& problem, const TrainingSolveOptions& options, Observer& observer,
                                           const Limits& limits) {
    const auto planner = planner_of(options.method);
    if (!planner) return fail(planner.error());
    if (auto checked = check_training_options(problem, options.planner); !checked) return fail(std::move(checked.error()));
    auto bounds = prove_training(problem, options.model, options.planner.micro_batch, observer, limits);
    if (!bounds) return fail(std::move(bounds.error()));
    TrainingSolveResult result{.found = {}, .bounds = std::move(*bounds)};
    result.found = run_training_method(problem, **planner, options.planner, observer, limits);
    if (result.found.failure) {
        Diagnostic failure = *std::move(result.found.failure);
        if (failure.kind == DiagnosticKind::internal) failure.message = std::format("planner '{}' {}", (*planner)->name, failure.message);
        return fail(std::move(failure));
    }
    const auto is_false = [](const auto& bound, Duration value) { return bound && bound->value > value; };
    if (is_false(result.bounds.iteration, result.found.iteration) || is_false(result.bounds.bottleneck, result.found.cost.bottleneck))
        return fail(internal_error("a certified bound is above what the plan takes: one of the two is wrong"));
    if (result.bounds.iteration && result.bounds.iteration->value == result.found.iteration)
        result.found.termination.reason = StopReason::optimal;
    return result;
}

plan::Plan make_training_plan(const graph::Graph& graph, const platform::Platform& platform, const cost::FrozenTraining& frozen,
                              const TrainingSolveOptions& options, const TrainingSolveResult& result) {
    const TrainingRow& found = result.found;
    plan::Plan plan = plan::make_training_plan(graph, platform, frozen, found.partition, found.iteration);
    if (result.bounds.iteration) plan.bound = claim_of(*result.bounds.iteration);
    if (result.bounds.bottleneck) plan.bottleneck_bound = claim_of(*result.bounds.bottleneck);
    plan.method = found.method;
    if (!found.winner.empty()) plan.options.emplace_back("winner", found.winner);
    plan.seed = options.planner.seed;
    plan.termination = found.termination;
    return plan;
}

}  // namespace sluice::solve
