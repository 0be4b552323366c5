#include "sluice/inference/incumbent.hpp"

#include <cassert>
#include <format>
#include <limits>

#include "sluice/inference/feasibility.hpp"

namespace sluice::inference {

namespace {}

Score score_of(const cost::PartitionCost& cost, Objective objective) {
    return objective == Objective::latency ? Score{cost.latency, cost.bottleneck} : Score{cost.bottleneck, cost.latency};
}

Result<void> check_call(const cost::StageProblem& problem, const PlannerOptions& options) {
    if (options.stages < 1) return fail(usage_error(std::format("{} stages: at least 1 is needed", options.stages)));
    if (options.max_replicas < 1) return fail(usage_error(std::format("{} replicas: at least 1 is needed", options.max_replicas)));
    if (problem.node_count() == 0) return fail(input_error("nothing to plan: the model has no operators"));
    if (auto proof = prove_infeasible(problem, options.stages)) return fail(*std::move(proof));
    return {};
}

Diagnostic no_feasible_plan(const cost::StageProblem& problem, std::string why) {
    Diagnostic diagnostic =
        input_error("no feasible plan: " + std::move(why)).fix("use --method auto, more stages, or devices with more memory");
    for (const auto& device : problem.classes)
        if (device.overflow == cost::Overflow::hard)
            diagnostic.notes.push_back(
                std::format("class '{}': {} devices with a hard limit of {}", device.name, device.count, to_text(device.fast_memory)));
    diagnostic.notes.emplace_back("this is no proof that none exists");
    return diagnostic;
}

Incumbent::Incumbent(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits,
                     std::string_view phase)
    : problem_(&problem), options_(&options), observer_(&observer), limits_(&limits), phase_(phase) {
    if (!options.start) return;
    [[maybe_unused]] const bool valid = offer(*options.start, "start");
    assert(valid && "a start is a valid partition");
}

bool Incumbent::offer(cost::Partition partition, std::string_view winner) {
    const cost::PartitionCost cost = price(*problem_, partition);
    const Score score = score_of(cost, options_->objective);
    if (score_ && score >= *score_) return false;
    if (!cost::faults_of(*problem_, partition, options_->stages).empty()) return false;
    score_ = score;
    bottleneck_ = cost.bottleneck;
    result_.partition = std::move(partition);
    result_.winner = winner;
    observer_->on_event({signed_at_ = seconds(), phase_, score.first, std::nullopt, result_.winner});
    return true;
}

bool Incumbent::must_end() {
    StopReason& reason = result_.termination.reason;
    if (score_ && options_->good_enough && score_->first <= *options_->good_enough)
        reason = StopReason::optimal;
    else if (limits_->interrupted())
        reason = StopReason::interrupted;
    else if (limits_->out_of_time())
        reason = StopReason::time;
    else if (evaluations_left() <= 0)
        reason = StopReason::evaluations;
    else {
        if (seconds() - signed_at_ >= kSecondsBetweenSigns)
            observer_->on_event({signed_at_ = seconds(), phase_, score_ ? std::optional(score_->first) : std::nullopt, std::nullopt, ""});
        return false;
    }
    return true;
}

std::int64_t Incumbent::evaluations_left() const {
    return limits_->evaluations.value_or(std::numeric_limits<std::int64_t>::max()) - result_.termination.evaluations;
}

double Incumbent::seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

Result<PlannerResult> Incumbent::take(std::string why) && {
    if (!found()) {
        if (limits_->interrupted()) return fail({DiagnosticKind::stopped, "interrupted before a feasible plan was found", {}, {}, {}});
        return fail(no_feasible_plan(*problem_, std::move(why)));
    }
    result_.termination.seconds = seconds();
    return std::move(result_);
}

}  // namespace sluice::inference
