// A training plan with one of everything: a graph of stages, replicas, micro-batches of two sizes, k above 1, recomputation, two stages
// on one device.
#pragma once

#include "sluice/plan/training_plan.hpp"
#include "tests/support/training.hpp"

namespace sluice::sample {

///   op0 -> {op1, op2} -> op3 -> op4
inline graph::Graph training_model() {
    return test::given_graph({{.forward = 1000, .backward = 2000, .made = Bytes{10}},
                              {.forward = 3000, .backward = 4000, .reads = {0}, .made = Bytes{20}},
                              {.forward = 2000, .backward = 5000, .reads = {0}, .made = Bytes{30}, .parameters = Bytes{40}},
                              {.forward = 1500, .backward = 2500, .reads = {1, 2}, .made = Bytes{40}},
                              {.forward = 500, .backward = 700, .reads = {3}, .made = Bytes{50}, .parameters = Bytes{0}}});
}

inline platform::Platform training_machine() { return test::given_devices(5, Bytes{4096}); }

inline cost::TrainingOptions training_options() { return {.mini_batch = 16, .optimizer = cost::Optimizer::momentum}; }

inline cost::FrozenTraining freeze_training(const graph::Graph& graph) {
    return cost::freeze_training(graph, training_machine(), training_options()).value();
}

inline cost::TrainingPartition training_partition(const cost::TrainingProblem& problem) {
    const auto stage = [&](std::size_t node, std::int64_t device, std::int64_t replicas, std::int64_t micro_batch) {
        return cost::TrainingStage{.nodes = {NodeId(node)}, .first_device = device, .replicas = replicas, .micro_batch = micro_batch};
    };
    cost::TrainingPartition partition{
        .stages = {stage(0, 0, 2, 4), stage(1, 2, 1, 2), stage(2, 3, 1, 4), stage(3, 4, 1, 2), stage(4, 4, 1, 2)},
        .schedule = cost::Schedule::one_f_one_b};
    partition.stages[1].k = 2;
    partition.stages[1].recompute = true;
    partition.stages[1].joint_backward = true;
    cost::set_in_flight(problem, partition);
    return partition;
}

/// `iteration` is the caller's: this layer does not know it.
inline plan::Plan training_plan(Duration iteration = Duration{1'000'000}) {
    const graph::Graph graph = training_model();
    const cost::FrozenTraining frozen = freeze_training(graph);
    plan::Plan plan = plan::make_training_plan(graph, training_machine(), frozen, training_partition(frozen.problem), iteration);
    plan.model.dimensions = {{"batch", 8}};
    plan.model.assume_size = 4;
    plan.bound = plan::BoundClaim{.value = Duration{90'000}, .kind = "counting", .certified = true};
    plan.bottleneck_bound = plan::BoundClaim{.value = Duration{5'000}, .kind = "counting", .certified = true};
    plan.method = "by-hand";
    plan.options = {{"winner", "by eye"}};
    plan.seed = 7;
    plan.termination = {.reason = StopReason::evaluations, .seconds = 0.5, .evaluations = 3};
    plan.limit = "--evals 3";
    return plan;
}

}  // namespace sluice::sample
