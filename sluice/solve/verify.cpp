#include "sluice/solve/verify.hpp"

#include <algorithm>
#include <chrono>
#include <format>
#include <iterator>
#include <variant>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/check_training.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/mcm/judge/event_judge.hpp"
#include "sluice/plan/training_plan.hpp"
#include "sluice/plan/validate.hpp"
#include "sluice/solve/chips.hpp"
#include "sluice/solve/training.hpp"
#include "sluice/training/evaluate.hpp"

namespace sluice::solve {

namespace {

/// Is this certificate about this plan, and does the plan claim what it proves? (That it is about this problem is the checker's to say.)
std::vector<Diagnostic> compare(const plan::Plan& plan, const bound::Certificate& certificate) {
    std::vector<Diagnostic> failures;
    const auto complain = [&](std::string message) { failures.push_back(verification_error(std::move(message))); };
    if (certificate.model != plan.model.fingerprint)
        complain(std::format("the certificate is for another model: fingerprint {}, the plan's is {}", certificate.model,
                             plan.model.fingerprint));
    if (certificate.stages != plan.stage_limit)
        complain(std::format("the certificate is for {} stages, the plan for {}", certificate.stages, plan.stage_limit));
    const bool latency = plan.objective == cost::Objective::latency;
    if (certificate.objective != plan.objective)
        complain(std::format("the certificate bounds the {}, the plan is for {}", cost::to_text(certificate.objective),
                             cost::to_text(plan.objective)));
    // A bound on the latency holds for any replicas.
    for (std::size_t s = 0; s < plan.stages.size() && !latency; ++s)
        if (plan.stages[s].replicas > certificate.max_replicas)
            complain(std::format("stage {} has {} replicas, the certificate holds for at most {}", s, plan.stages[s].replicas,
                                 certificate.max_replicas));
    if (const Duration value = objective_value(plan); certificate.value > value)
        complain(std::format("the certificate's bound, {} ps, exceeds the plan's {}, {} ps", certificate.value.count(),
                             latency ? "latency" : "bottleneck", value.count()));
    if (!plan.bound) return failures;
    if (certificate.value != plan.bound->value)
        complain(std::format("the plan claims a bound of {} ps, the certificate proves {} ps", plan.bound->value.count(),
                             certificate.value.count()));
    if (certificate.kind() != plan.bound->kind)
        complain(
            std::format("the plan claims a bound of kind '{}', the certificate is of kind '{}'", plan.bound->kind, certificate.kind()));
    return failures;
}

/// The same for training.
std::vector<Diagnostic> compare(const plan::Plan& plan, const bound::TrainingCertificate& certificate) {
    std::vector<Diagnostic> failures;
    const auto complain = [&](std::string message) { failures.push_back(verification_error(std::move(message))); };
    const bool iteration = certificate.objective == bound::TrainingObjective::iteration;
    const auto& claim = iteration ? plan.bound : plan.bottleneck_bound;
    const Duration value = iteration ? objective_value(plan) : plan.predicted.bottleneck;
    if (certificate.model != plan.model.fingerprint)
        complain(std::format("the certificate is for another model: fingerprint {}, the plan's is {}", certificate.model,
                             plan.model.fingerprint));
    const auto other = [&](const plan::PlannedStage& stage) {
        return stage.training && stage.training->micro_batch != certificate.micro_batch;
    };
    if (certificate.micro_batch && std::ranges::any_of(plan.stages, other))
        complain(std::format("the certificate is for plans with micro-batches of {} samples alone, this one has others",
                             *certificate.micro_batch));
    if (certificate.value > value)
        complain(std::format("the certificate's bound, {} ps, exceeds the plan's {}, {} ps", certificate.value.count(),
                             bound::to_text(certificate.objective), value.count()));
    if (claim && claim->value != certificate.value)
        complain(
            std::format("the plan claims a bound of {} ps, the certificate proves {} ps", claim->value.count(), certificate.value.count()));
    if (claim && claim->kind != bound::kWorkAndPath)
        complain(std::format("the plan claims a bound of kind '{}', the certificate is of kind '{}'", claim->kind, bound::kWorkAndPath));
    return failures;
}

/// What the rules of the ring and the simulator say; another judge's word is believed.
std::vector<Diagnostic> chip_plan_failures(const plan::Plan& plan, const graph::Graph& graph, const cost::FrozenProblem& frozen) {
    const auto partition = plan::partition_of(plan, graph, frozen.problem);
    if (!partition) return {partition.error()};
    auto failures = chip_failures(graph, plan.platform, frozen.problem, *partition);
    if (!failures.empty() || !plan.judged || plan.judged->judge != mcm::kSimulator) return failures;
    const auto problem = mcm::chip_problem(graph, frozen.problem, plan.platform);
    if (!problem) return {problem.error()};
    const auto judge = mcm::event_judge(graph, *problem, plan.platform);
    if (!judge) return {judge.error()};
    const auto verdict = (*judge)->judge(chip_assignment(frozen.problem, *partition));
    if (!verdict) return {verdict.error()};
    if (verdict->failure) return {verdict->failure->why};
    if (verdict->period != plan.judged->period || verdict->latency != plan.judged->latency)
        return {verification_error(std::format("the plan says an output every {} ps after {} ps, simulated it is every {} ps after {} ps",
                                               plan.judged->period.count(), plan.judged->latency.count(), verdict->period.count(),
                                               verdict->latency.count()))};
    return {};
}

/// Work that no rewrite takes away.
bool holds_under_rewrites(const bound::Certificate& certificate) {
    return !certificate.transfers || std::holds_alternative<bound::TotalWorkWitness>(certificate.witness) ||
           std::holds_alternative<bound::LargestOperatorWitness>(certificate.witness) ||
           std::holds_alternative<bound::WaypointsWitness>(certificate.witness) ||
           std::holds_alternative<bound::TriangleWitness>(certificate.witness);  // which the checker refuses for its own reason
}

/// Everything but the iteration time is the plan layer's to check; that one follows from the schedule.
std::vector<Diagnostic> training_failures(const graph::Graph& graph, const plan::Plan& plan, const cost::FrozenTraining& frozen) {
    auto failures = plan::validate_training(plan, graph, frozen);
    if (!failures.empty()) return failures;
    const auto partition = plan::training_partition_of(plan, graph, frozen.problem);
    if (!partition) return {partition.error()};
    if (const auto program = training_program_of(frozen.problem, *partition); !program) return {program.error()};
    if (const Duration is = training::iteration_time(frozen.problem, *partition); is != plan.predicted.iteration)
        return {verification_error(
            std::format("the iteration time is {} ps in the plan, {} ps by simulation", plan.predicted.iteration->count(), is.count()))};
    return {};
}

}  // namespace

VerifyReport verify(const graph::Graph& model, const plan::Plan& plan, const bound::Certificate* certificate) {
    VerifyReport report;
    const auto add = [&](std::vector<Diagnostic> failures) { std::ranges::move(failures, std::back_inserter(report.failures)); };

    if (plan.model.fingerprint != model.fingerprint() || plan.stage_limit < 1 || plan.stage_limit > plan::kMostDevices) {
        // Freezing another model could fail for reasons of its own; validate says what is wrong without a problem.
        add(plan::validate(plan, model, {}));
        return report;
    }
    const auto refused = [&](Diagnostic failure) {
        failure.kind = DiagnosticKind::verification;
        report.failures.push_back(std::move(failure).note("while freezing the plan's own platform with this model"));
        return report;
    };
    auto graph = plan::planned_graph(plan, model);
    if (!graph) {
        report.failures.push_back(std::move(graph.error()));
        return report;
    }
    const auto freeze = [&](const graph::Graph& of) {
        return cost::freeze(of, plan.platform, plan.stage_limit, plan.costs ? &*plan.costs : nullptr);
    };
    auto frozen = freeze(*graph);
    if (!frozen) return refused(std::move(frozen.error()));
    add(plan::validate(plan, *graph, *frozen));
    if (report.failures.empty() && plan.platform.chip_rules) add(chip_plan_failures(plan, *graph, *frozen));
    if (certificate) {
        auto failures = compare(plan, *certificate);
        if (plan.platform.chip_rules && !plan.rewrites.empty() && !holds_under_rewrites(*certificate))
            failures.push_back(verification_error(
                std::format("a bound of kind '{}' counts transfers, which the plan's rewrites can avoid", certificate->kind())));
        const auto partitions = plan.platform.chip_rules && plan.rewrites.empty() ? bound::Partitions::triangle : bound::Partitions::all;
        const auto started = std::chrono::steady_clock::now();
        // A bound is on plans of the model, whatever rewrites they rest on: its witness speaks of the model's own operators.
        if (graph->derivation())
            if (frozen = freeze(model); !frozen) return refused(std::move(frozen.error()));
        std::ranges::move(bound::check_certificate(frozen->problem, *certificate, {}, partitions), std::back_inserter(failures));
        report.check_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
        report.certified = failures.empty();
        add(std::move(failures));
    }
    report.valid = report.failures.empty();
    report.certified = report.certified && report.valid;
    return report;
}

VerifyReport verify_training(const graph::Graph& graph, const plan::Plan& plan, const bound::TrainingCertificate* certificate) {
    VerifyReport report;
    if (auto other = plan::other_model(plan, graph)) {  // freezing another model could fail for reasons of its own
        report.failures.push_back(*std::move(other));
        return report;
    }
    if (!plan.training) {
        report.failures.push_back(verification_error(std::format("the plan is for job '{}', not for training", plan.job)));
        return report;
    }
    const auto frozen = cost::freeze_training(graph, plan.platform, plan::training_options_of(plan), plan.costs ? &*plan.costs : nullptr);
    if (!frozen) {
        Diagnostic failure = frozen.error();
        failure.kind = DiagnosticKind::verification;
        report.failures.push_back(std::move(failure).note("while freezing the plan's own platform with this model"));
        return report;
    }
    report.failures = training_failures(graph, plan, *frozen);
    if (certificate) {
        auto failures = compare(plan, *certificate);
        const auto started = std::chrono::steady_clock::now();
        std::ranges::move(bound::check_training(frozen->problem, *certificate), std::back_inserter(failures));
        report.check_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
        report.certified = failures.empty();
        std::ranges::move(failures, std::back_inserter(report.failures));
    }
    report.valid = report.failures.empty();
    report.certified = report.certified && report.valid;
    return report;
}

}  // namespace sluice::solve
