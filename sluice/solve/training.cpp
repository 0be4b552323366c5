#include "sluice/solve/training.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <format>

#include "sluice/bound/check_training.hpp"
#include "sluice/bound/training_bound.hpp"
#include "sluice/plan/training_plan.hpp"
#include "sluice/solve/why_nothing.hpp"
#include "sluice/training/evaluate.hpp"

namespace sluice::solve {

namespace {

constexpr std::chrono::seconds kMostBoundTime{2};

/// Of one of two bounds, `left` of them still to come.
Limits limits_of_bound(const Limits& limits, BoundTime time, int left) {
    if (limits.evaluations || !limits.deadline) return {.deadline = std::nullopt, .evaluations = std::nullopt, .stop = limits.stop};
    const auto now = Limits::Clock::now();
    const auto whole = *limits.deadline - now;
    const auto share = time == BoundTime::all ? whole / left : std::min<Limits::Clock::duration>(whole / 8, kMostBoundTime);
    return {.deadline = now + share, .evaluations = std::nullopt, .stop = limits.stop};
}

std::int64_t micro_batches_of(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition) {
    std::int64_t count = 0;
    for (const cost::TrainingStage& stage : partition.stages) count += problem.options.mini_batch / stage.micro_batch;
    return count;
}

Diagnostic too_many(DiagnosticKind kind, std::int64_t count) {
    return {kind,
            std::format("the plan has {} micro-batches over all its stages; at most {} can be simulated", count, kMostMicroBatches),
            {},
            {},
            "larger micro-batches (--micro-batch)"};
}

/// A plan as a row that nothing else made.
TrainingRow row_of(const cost::TrainingProblem& problem, std::string method, const cost::TrainingPartition& partition) {
    return {.method = std::move(method),
            .partition = partition,
            .cost = cost::price(problem, partition),
            .iteration = training::iteration_time(problem, partition),
            .winner = "start"};
}

/// Ends a planner as soon as it has told of something good enough, or somebody ends them both.
class EndsWhenGood final : public Observer {
public:
    EndsWhenGood(Observer& next, const Limits& limits, std::optional<Duration> enough)
        : next_(next),
          enough_(enough),
          limits_{limits.deadline, limits.evaluations, source_.get_token()},
          outer_(limits.stop, Stop{source_}) {}

    void on_event(const Event& event) override {
        next_.on_event(event);
        if (event.objective && event.objective <= enough_) source_.request_stop();
    }
    [[nodiscard]] const Limits& limits() const { return limits_; }

private:
    struct Stop {
        std::stop_source source;
        void operator()() { source.request_stop(); }
    };
    Observer& next_;
    std::optional<Duration> enough_;
    std::stop_source source_;
    Limits limits_;
    std::stop_callback<Stop> outer_;
};

Result<const training::Planner*> planner_of(const std::string& method) {
    return method.empty() ? &training::planners().front() : training::find_planner(method);
}

}  // namespace

Result<program::TrainingProgram> training_program_of(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition) {
    if (const std::int64_t count = micro_batches_of(problem, partition); count > kMostMicroBatches)
        return fail(too_many(DiagnosticKind::verification, count));
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
    } else if (const std::int64_t count = micro_batches_of(problem, result->partition); count > kMostMicroBatches) {
        row.failure = too_many(DiagnosticKind::input, count);
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
                                      std::optional<std::int64_t> micro_batch, Observer& observer, const Limits& limits, BoundTime time) {
    TrainingBounds bounds;
    int left = 2;
    for (const auto objective : {bound::TrainingObjective::iteration, bound::TrainingObjective::bottleneck}) {
        const auto warn = [&](std::string why) {
            bounds.warnings.push_back(internal_error(std::format("the bound on the {} failed: {}", bound::to_text(objective), why)));
        };
        try {
            auto certificate = bound::bound_training(problem, objective, limits_of_bound(limits, time, left--), micro_batch);
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

Duration enough_for(Duration bound, double gap) {
    constexpr double kLongest = 0x1p62;
    Duration time{static_cast<std::int64_t>(std::min(static_cast<double>(bound.count()) / (1 - gap), kLongest))};
    while (time > bound && gap_of(time, bound) > gap) --time;
    return std::max(time, bound);
}

Result<void> check_training_options(const cost::TrainingProblem& problem, const training::PlannerOptions& options) {
    if (!options.micro_batch) return {};
    const std::int64_t batch = problem.options.mini_batch, size = *options.micro_batch, devices = training::device_count(problem);
    const auto sizes = training::micro_batches(problem, false);
    if (size < 1 || batch % size != 0) {
        std::string list;
        for (const std::int64_t each : sizes) list += std::format("{}{}", list.empty() ? "" : ", ", each);
        return fail(usage_error(std::format("micro-batches of {} samples do not divide the mini-batch of {}", size, batch))
                        .fix(std::format("possible are {}", list)));
    }
    const auto few = [&](std::int64_t each) { return batch / each <= kMostMicroBatches / devices; };
    if (few(size)) return {};
    const auto least = std::ranges::find_if(sizes, few);
    return fail(usage_error(std::format("micro-batches of size {}: {} of them pass every device, {} over all devices", size, batch / size,
                                        batch / size * devices))
                    .note(std::format("at most {} over all devices can be simulated", kMostMicroBatches))
                    .fix(least == sizes.end() ? "fewer devices" : std::format("--micro-batch {} or more, or a smaller --batch", *least)));
}

Result<TrainingSolveResult> solve_training(const cost::TrainingProblem& problem, const TrainingSolveOptions& options, Observer& observer,
                                           const Limits& limits) {
    const auto planner = planner_of(options.method);
    if (!planner) return fail(planner.error());
    if (!(options.gap >= 0 && options.gap < 1))
        return fail(usage_error(std::format("a gap of {} asked for; it is at least 0 and below 1", options.gap)));
    if (auto checked = check_training_options(problem, options.planner); !checked) return fail(std::move(checked.error()));
    if (options.start)
        if (const std::int64_t count = micro_batches_of(problem, *options.start); count > kMostMicroBatches)
            return fail(too_many(DiagnosticKind::input, count));
    auto bounds = prove_training(problem, options.model, options.planner.micro_batch, observer, limits);
    if (!bounds) return fail(std::move(bounds.error()));
    TrainingSolveResult result{.found = {}, .bounds = std::move(*bounds)};

    std::optional<Duration> enough;
    if (result.bounds.iteration) enough = enough_for(result.bounds.iteration->value, options.gap);
    std::optional<TrainingRow> start;
    if (options.start) {
        start = row_of(problem, std::string((*planner)->name), *options.start);
        observer.on_event({.seconds = 0, .phase = "training", .objective = start->iteration, .bound = {}, .source = "start"});
    }
    if (start && enough && start->iteration <= *enough) {
        result.found = std::move(*start);
    } else {
        EndsWhenGood ends(observer, limits, enough);
        result.found = run_training_method(problem, **planner, options.planner, ends, ends.limits());
        StopReason& reason = result.found.termination.reason;
        if (reason == StopReason::interrupted && !limits.interrupted()) reason = StopReason::finished;
        if (result.found.failure) {
            Diagnostic failure = *std::move(result.found.failure);
            if (failure.kind == DiagnosticKind::internal)
                failure.message = std::format("planner '{}' {}", (*planner)->name, failure.message);
            if (!start) return fail(std::move(failure));
            start->warnings.push_back(std::move(failure));
        }
        if (start && (result.found.partition.stages.empty() || start->iteration < result.found.iteration)) {
            start->termination = result.found.termination;
            result.found = std::move(*start);
        }
    }
    const auto is_false = [](const auto& bound, Duration value) { return bound && bound->value > value; };
    if (is_false(result.bounds.iteration, result.found.iteration) || is_false(result.bounds.bottleneck, result.found.cost.bottleneck))
        return fail(internal_error("a certified bound is above what the plan takes: one of the two is wrong"));
    if (result.bounds.iteration && result.bounds.iteration->value == result.found.iteration)
        result.found.termination.reason = StopReason::optimal;
    else if (enough && result.found.iteration <= *enough)
        result.found.termination.reason = StopReason::gap;
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
