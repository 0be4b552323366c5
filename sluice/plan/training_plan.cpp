#include "sluice/plan/training_plan.hpp"

#include <algorithm>
#include <format>
#include <iterator>

#include "sluice/plan/read_partition.hpp"
#include "sluice/plan/validate.hpp"

namespace sluice::plan {

namespace {

struct TrainingReading {
    cost::TrainingPartition partition;
    std::vector<Diagnostic> failures;
};

/// Needs plan.training.
TrainingReading read_training_partition(const Plan& plan, const graph::Graph& graph, const cost::TrainingProblem& problem) {
    PartitionReading plain = read_partition(plan, graph, problem.structure);
    TrainingReading reading{.partition = {.stages = {}, .schedule = plan.training->schedule}, .failures = std::move(plain.failures)};
    for (std::size_t s = 0; s < plan.stages.size(); ++s) {
        cost::Stage& stage = plain.partition.stages[s];
        const auto& planned = plan.stages[s].training;
        if (!planned) {
            reading.failures.push_back(verification_error(std::format("stage {} has no devices and micro-batches for training", s)));
            continue;
        }
        reading.partition.stages.push_back({.nodes = std::move(stage.nodes),
                                            .device = stage.device,
                                            .first_device = planned->first_device,
                                            .replicas = stage.replicas,
                                            .micro_batch = planned->micro_batch,
                                            .k = planned->k,
                                            .recompute = planned->recompute,
                                            .joint_backward = planned->joint_backward,
                                            .in_flight = planned->in_flight});
    }
    return reading;
}

class TrainingValidator {
public:
    TrainingValidator(const Plan& plan, const graph::Graph& graph, const cost::FrozenTraining& frozen)
        : plan_(plan), graph_(graph), frozen_(frozen) {}

    std::vector<Diagnostic> run() && {
        if (auto other = other_model(plan_, graph_)) return {*std::move(other)};
        check_settings();
        TrainingReading reading = read_training_partition(plan_, graph_, frozen_.problem);
        const bool readable = reading.failures.empty();
        std::ranges::move(reading.failures, std::back_inserter(failures_));
        if (readable) {
            auto faults = cost::faults_of(frozen_.problem, reading.partition);
            const bool sound = faults.empty();
            std::ranges::move(faults, std::back_inserter(failures_));
            if (sound) check_costs(cost::price(frozen_.problem, reading.partition));
        }
        if (plan_.bound) add(bound_failures(*plan_.bound, objective_value(plan_), "iteration time"));
        if (plan_.bottleneck_bound) add(bound_failures(*plan_.bottleneck_bound, plan_.predicted.bottleneck, "bottleneck"));
        return std::move(failures_);
    }

private:
    void complain(std::string message) { failures_.push_back(verification_error(std::move(message))); }
    void add(std::vector<Diagnostic> failures) { std::ranges::move(failures, std::back_inserter(failures_)); }

    void check_settings() {
        if (!plan_.predicted.iteration) complain("the plan has no iteration time");
        if (const std::int64_t devices = platform::device_count(plan_.platform); plan_.stage_limit != devices)
            complain(std::format("the plan is for {} devices, its platform has {}", plan_.stage_limit, devices));
        if (plan_.cost_source != frozen_.report.cost_source)
            complain(std::format("the plan's costs are '{}', model and platform give '{}'", plan_.cost_source, frozen_.report.cost_source));
    }

    void compare(std::size_t stage, std::string_view what, Duration said, Duration is) {
        if (said != is)
            complain(std::format("stage {}: {} is {} ps in the plan, {} ps by model and platform", stage, what, said.count(), is.count()));
    }
    void compare(std::size_t stage, std::string_view what, Bytes said, Bytes is) {
        if (said != is)
            complain(std::format("stage {}: {} is {} B in the plan, {} B by model and platform", stage, what, said.count, is.count));
    }

    void check_costs(const cost::TrainingCost& cost) {
        for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
            const cost::TrainingTerms &said = plan_.stages[s].training->predicted, &is = cost.stages[s];
            compare(s, "forward pass", said.pass.forward, is.pass.forward);
            compare(s, "gradient of the input", said.pass.input_gradient, is.pass.input_gradient);
            compare(s, "gradient of the weights", said.pass.weight_gradient, is.pass.weight_gradient);
            compare(s, "sum of gradients over replicas", said.all_reduce, is.all_reduce);
            compare(s, "optimiser's step", said.optimizer, is.optimizer);
            compare(s, "parameters", said.parameters, is.parameters);
            compare(s, "state", said.state, is.state);
            compare(s, "what it keeps for backward", said.kept, is.kept);
            compare(s, "what it keeps for the gradient of the weights", said.kept_for_weights, is.kept_for_weights);
            compare(s, "what it recomputes", said.recomputed, is.recomputed);
            compare(s, "memory", plan_.stages[s].training->memory, cost.memory[s]);
        }
        if (plan_.predicted.bottleneck != cost.bottleneck)
            complain(std::format("the bottleneck is {} ps a sample in the plan, {} ps by model and platform",
                                 plan_.predicted.bottleneck.count(), cost.bottleneck.count()));
        if (plan_.predicted.peak_memory != cost.peak_memory)
            complain(std::format("the peak memory is {} B in the plan, {} B by model and platform", plan_.predicted.peak_memory.count,
                                 cost.peak_memory.count));
    }

    const Plan& plan_;
    const graph::Graph& graph_;
    const cost::FrozenTraining& frozen_;
    std::vector<Diagnostic> failures_;
};

}  // namespace

Plan make_training_plan(const graph::Graph& graph, const platform::Platform& platform, const cost::FrozenTraining& frozen,
                        const cost::TrainingPartition& partition, Duration iteration) {
    const cost::TrainingProblem& problem = frozen.problem;
    Plan plan = describe(graph, platform, problem.structure);
    plan.job = kTraining;
    plan.training =
        TrainingSettings{.mini_batch = problem.options.mini_batch, .optimizer = problem.options.optimizer, .schedule = partition.schedule};
    plan.stage_limit = platform::device_count(platform);
    plan.cost_source = frozen.report.cost_source;
    plan.costs = frozen.costs;
    const cost::TrainingCost cost = cost::price(problem, partition);
    plan.predicted = {.bottleneck = cost.bottleneck, .peak_memory = cost.peak_memory, .iteration = iteration};
    for (std::size_t s = 0; s < partition.stages.size(); ++s) {
        const cost::TrainingStage& stage = partition.stages[s];
        plan.stages.push_back({.operators = references(graph, problem.structure, stage.nodes),
                               .device_class = problem.structure.classes[stage.device.index()].name,
                               .replicas = stage.replicas,
                               .training = PlannedTraining{.first_device = stage.first_device,
                                                           .micro_batch = stage.micro_batch,
                                                           .k = stage.k,
                                                           .recompute = stage.recompute,
                                                           .joint_backward = stage.joint_backward,
                                                           .in_flight = stage.in_flight,
                                                           .predicted = cost.stages[s],
                                                           .memory = cost.memory[s]}});
    }
    return plan;
}

Result<cost::TrainingPartition> training_partition_of(const Plan& plan, const graph::Graph& graph, const cost::TrainingProblem& problem) {
    if (!plan.training) return fail(input_error(std::format("the plan is for job '{}', not for training", plan.job)));
    TrainingReading reading = read_training_partition(plan, graph, problem);
    if (!reading.failures.empty()) return fail(std::move(reading.failures.front()));
    return std::move(reading.partition);
}

cost::TrainingOptions training_options_of(const Plan& plan) {
    return {.mini_batch = plan.training->mini_batch, .optimizer = plan.training->optimizer};
}

std::vector<Diagnostic> validate_training(const Plan& plan, const graph::Graph& graph, const cost::FrozenTraining& frozen) {
    return TrainingValidator(plan, graph, frozen).run();
}

}  // namespace sluice::plan
