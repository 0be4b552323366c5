#include "sluice/training/peers/data_parallel.hpp"

#include <algorithm>
#include <chrono>
#include <format>
#include <ranges>

#include "sluice/cost/partition.hpp"
#include "sluice/training/evaluate.hpp"

namespace sluice::training {

namespace {

using cost::TrainingPartition;
using cost::TrainingProblem;

class DataParallel {
public:
    DataParallel(const TrainingProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits)
        : problem_(problem), options_(options), observer_(observer), limits_(limits) {}

    Result<PlannerResult> run() && {
        auto sizes = options_.micro_batch ? std::vector{*options_.micro_batch} : micro_batches(problem_, false);
        auto whole = whole_model();
        if (!whole) return fail(std::move(whole.error()));
        std::int64_t first = 0;
        for (std::size_t c = 0; c < problem_.classes.size(); ++c) {
            const std::int64_t count = problem_.structure.classes[c].count;
            cost::TrainingStage stage{.nodes = *whole, .device = ClassId(c), .first_device = first, .replicas = count};
            first += count;
            for (const std::int64_t size : sizes | std::views::reverse) {
                stage.micro_batch = size;
                if (count > 0) try_with(stage);
            }
        }
        if (best_.partition.stages.empty()) return fail(why_none());
        best_.termination.seconds = std::chrono::duration<double>(Limits::Clock::now() - start_).count();
        return std::move(best_);
    }

private:
    /// Every node, in a topological order.
    Result<std::vector<NodeId>> whole_model() const {
        TrainingPartition all{.stages = {{.nodes = {}}}};
        for (std::size_t v = 0; v < problem_.node_count(); ++v) all.stages[0].nodes.emplace_back(v);
        auto sorted = cost::normalise(problem_, std::move(all));
        if (!sorted) return fail(std::move(sorted.error()));
        if (sorted->stages.empty()) return fail(input_error("the model has no operator to place"));
        return std::move(sorted->stages[0].nodes);
    }

    /// Without recomputation, and where that is against the memory with it.
    void try_with(cost::TrainingStage stage) {
        for (const bool recompute : {false, true}) {
            if (options_.recompute.value_or(recompute) != recompute) continue;
            stage.recompute = recompute;
            if (holds({.stages = {stage}, .schedule = options_.schedule.value_or(cost::Schedule::one_f_one_b)})) return;
        }
    }

    bool holds(TrainingPartition partition) {
        if (stopped()) return true;
        cost::set_in_flight(problem_, partition);
        ++best_.termination.evaluations;
        const cost::TrainingStage& stage = partition.stages[0];
        if (auto faults = cost::faults_of(problem_, partition); !faults.empty()) {
            const cost::TrainingTerms terms = cost::training_terms(problem_, stage);
            const Bytes need = cost::memory_need(stage, terms, partition.schedule);
            if (!fault_ || need < least_need_) {
                least_need_ = need;
                fault_ = std::move(faults.front());
            }
            return false;
        }
        const std::int64_t count = problem_.options.mini_batch / stage.micro_batch;
        const Duration passes = cost::training_terms(problem_, stage).pass.total() * count;
        if (!best_.partition.stages.empty() && passes >= best_.iteration) return true;
        const auto iteration = iteration_time(problem_, partition, limits_);
        if (!iteration) return stopped();
        if (!best_.partition.stages.empty() && *iteration >= best_.iteration) return true;
        best_.iteration = *iteration;
        best_.winner = std::format("micro-batch {}{}", stage.micro_batch, stage.recompute ? ", recomputation" : "");
        best_.partition = std::move(partition);
        observer_.on_event({.seconds = 0, .phase = "data-parallel", .objective = best_.iteration, .bound = {}, .source = "data-parallel"});
        return true;
    }

    bool stopped() {
        StopReason& reason = best_.termination.reason;
        if (limits_.interrupted())
            reason = StopReason::interrupted;
        else if (limits_.out_of_time())
            reason = StopReason::time;
        else if (limits_.evaluations && best_.termination.evaluations >= *limits_.evaluations)
            reason = StopReason::evaluations;
        return reason != StopReason::finished;
    }

    Diagnostic why_none() {
        if (!fault_) return {DiagnosticKind::stopped, "interrupted before there was a plan", {}, {}, {}};
        Diagnostic diagnostic = std::move(*fault_);
        diagnostic.kind = DiagnosticKind::infeasible;
        diagnostic.notes.emplace_back("data-parallel holds the whole model on every device");
        return std::move(diagnostic).fix("a pipeline needs less on each: another --method; or --recompute, --optimizer sgd, more memory");
    }

    const TrainingProblem& problem_;
    const PlannerOptions& options_;
    Observer& observer_;
    const Limits& limits_;
    Limits::Clock::time_point start_ = Limits::Clock::now();
    PlannerResult best_{};
    std::optional<Diagnostic> fault_;  // of the candidate that needs least
    Bytes least_need_;
};

}  // namespace

Result<PlannerResult> plan_data_parallel(const TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                         const Limits& limits) {
    return DataParallel(problem, options, observer, limits).run();
}

}  // namespace sluice::training
