#include "sluice/plan/validate.hpp"

#include <algorithm>
#include <format>

#include "sluice/plan/read_partition.hpp"

namespace sluice::plan {

namespace {

class Validator {
public:
    Validator(const Plan& plan, const graph::Graph& graph, const cost::FrozenProblem& frozen)
        : plan_(plan), graph_(graph), problem_(frozen.problem), source_(frozen.report.cost_source) {}

    std::vector<Diagnostic> run() && {
        if (auto other = other_model(plan_, graph_)) return {*std::move(other)};  // nothing below would mean anything
        if (!check_ranges()) return std::move(failures_);
        check_settings();

        PartitionReading reading = read_partition(plan_, graph_, problem_);
        const bool readable = reading.failures.empty();
        std::ranges::move(reading.failures, std::back_inserter(failures_));
        if (readable) {
            auto faults = cost::faults_of(problem_, reading.partition, plan_.stage_limit);
            const bool sound = faults.empty();
            for (Diagnostic& fault : faults) {
                fault.kind = DiagnosticKind::verification;
                failures_.push_back(std::move(fault));
            }
            if (sound) check_costs(cost::price(problem_, reading.partition));
        }
        if (plan_.bound)
            std::ranges::move(bound_failures(*plan_.bound, objective_value(plan_),
                                             plan_.objective == cost::Objective::latency ? "latency" : "bottleneck"),
                              std::back_inserter(failures_));
        return std::move(failures_);
    }

private:
    void complain(std::string message) { failures_.push_back(verification_error(std::move(message))); }

    void check_settings() {
        if (plan_.job != "inference") complain(std::format("the plan is for job '{}', not for 'inference'", plan_.job));
        const graph::Derivation* derivation = graph_.derivation();
        if (plan_.rewrites != (derivation ? derivation->rewrites : std::vector<graph::Rewrite>()))
            complain("the graph at hand has other rewrites than the plan");
        if (plan_.cost_source != source_)
            complain(std::format("the plan's costs are '{}', model and platform give '{}'", plan_.cost_source, source_));
    }

    /// Numbers that the sums below rely on.
    bool check_ranges() {
        const std::size_t before = failures_.size();
        if (plan_.stage_limit < 1 || plan_.stage_limit > kMostDevices)
            complain(std::format("the plan is for {} stages; 1 to {} are possible", plan_.stage_limit, kMostDevices));
        for (std::size_t s = 0; s < plan_.stages.size(); ++s)
            if (const std::int64_t replicas = plan_.stages[s].replicas; replicas < 1 || replicas > kMostDevices)
                complain(std::format("stage {} has {} replicas; 1 to {} are possible", s, replicas, kMostDevices));
        return failures_.size() == before;
    }

    void compare(const std::string& what, Duration said, Duration is) {
        if (said != is) complain(std::format("{} is {} ps in the plan, {} ps by model and platform", what, said.count(), is.count()));
    }
    void compare(const std::string& what, Bytes said, Bytes is) {
        if (said != is) complain(std::format("{} is {} B in the plan, {} B by model and platform", what, said.count, is.count));
    }

    void check_costs(const cost::PartitionCost& cost) {
        for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
            const cost::StageTerms& said = plan_.stages[s].predicted;
            const cost::StageTerms& is = cost.stages[s];
            compare(std::format("stage {}: work", s), said.work, is.work);
            compare(std::format("stage {}: transfer in", s), said.in, is.in);
            compare(std::format("stage {}: transfer out", s), said.out, is.out);
            compare(std::format("stage {}: spill", s), said.spill, is.spill);
            compare(std::format("stage {}: parameters", s), said.parameters, is.parameters);
            compare(std::format("stage {}: peak of activations", s), said.peak, is.peak);
        }
        compare("the bottleneck", plan_.predicted.bottleneck, cost.bottleneck);
        compare("the latency", plan_.predicted.latency, cost.latency);
        compare("the peak memory", plan_.predicted.peak_memory, cost.peak_memory);
    }

    const Plan& plan_;
    const graph::Graph& graph_;
    const cost::StageProblem& problem_;
    const std::string& source_;
    std::vector<Diagnostic> failures_;
};

}  // namespace

std::optional<Diagnostic> other_model(const Plan& plan, const graph::Graph& graph) {
    if (plan.model.fingerprint == graph.model_fingerprint()) return std::nullopt;
    Diagnostic other = verification_error(std::format("the plan is for another model: '{}' with fingerprint {}, this is '{}' with {}",
                                                      plan.model.name, plan.model.fingerprint, graph.name(), graph.model_fingerprint()));
    for (const auto& [name, value] : plan.model.dimensions) other.notes.push_back(std::format("it was made with --dim {}={}", name, value));
    if (plan.model.assume_size) other.notes.push_back(std::format("it was made with --assume-size {}", *plan.model.assume_size));
    return std::move(other).fix("give the model it was made for, or plan again");
}

std::vector<Diagnostic> bound_failures(const BoundClaim& bound, Duration value, std::string_view what) {
    std::vector<Diagnostic> failures;
    const auto complain = [&](std::string message) { failures.push_back(verification_error(std::move(message))); };
    if (!std::ranges::contains(kBoundKinds, std::string_view(bound.kind))) complain(std::format("no bound is of kind '{}'", bound.kind));
    if (bound.certified && bound.kind == kSolverClaimed) complain("a bound that only a solver claims is never certified");
    if (bound.value < Duration(0)) complain(std::format("the bound is {} ps, below zero", bound.value.count()));
    if (bound.value > value)
        complain(std::format("the bound, {} ps, exceeds the plan's own {}, {} ps", bound.value.count(), what, value.count()));
    return failures;
}

std::vector<Diagnostic> validate(const Plan& plan, const graph::Graph& graph, const cost::FrozenProblem& frozen) {
    return Validator(plan, graph, frozen).run();
}

}  // namespace sluice::plan
