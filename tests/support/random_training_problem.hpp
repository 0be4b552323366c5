// Random training problems and partitions: small numbers, so that ties and rounding happen.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "sluice/cost/training_partition.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::test {

struct RandomTrainingProblem {
    RandomProblemOptions graph = {.max_operators = 6, .largest_bytes = 40, .spill = 0, .overlap = 0.5};
    std::int64_t largest_mini_batch = 12;
    std::int64_t most_devices = 4;  // of a class
    double limited = 0.3;           // chance of a memory limit
};

/// Every pass of its own, zero where the cost model has none.
inline cost::TrainingProblem random_training_problem(RandomStream& random, const RandomTrainingProblem& options = {}) {
    const graph::Graph graph = random_graph(random, options.graph);
    platform::Platform platform = random_platform(graph, random, options.graph);
    for (platform::DeviceClass& device : platform.classes) device.count = random.between(1, options.most_devices);
    const auto rate = [&] { return ByteRate{random.between(1'000'000'000'000, 20'000'000'000'000)}; };
    platform.stage_link = {rate(), Duration{random.between(0, 3)}};
    if (random.chance(0.5)) {
        platform.topology = platform::Topology::hierarchy;
        platform.devices_per_node = random.between(1, 3);
        platform.node_link = {rate(), Duration{random.between(0, 5)}};
    }
    cost::TrainingOptions training;
    training.mini_batch = random.between(1, options.largest_mini_batch);
    training.optimizer = cost::kOptimizers[random.below(cost::kOptimizers.size())];
    cost::TrainingProblem problem = detail::must(cost::freeze_training(graph, platform, training)).problem;

    const auto redraw = [&](cost::PassCost& pass) {
        if (pass == cost::PassCost{}) return;
        const auto part = [&] { return detail::sometimes_zero(random, options.graph.largest_time); };
        pass = {.arithmetic_fixed = part(),
                .arithmetic_per_sample = part(),
                .memory_fixed = part(),
                .memory_per_sample = part(),
                .launch = random.between(0, 3)};
    };
    // As when an operator makes integers beside what is trained: nothing comes back over these.
    for (std::size_t e = 0; e < problem.structure.edge_count(); ++e)
        if (random.chance(0.15)) problem.has_gradient[e] = 0, problem.gradient[e] = {};
    Bytes all;
    for (std::size_t v = 0; v < problem.node_count(); ++v) all += {problem.kept[v].count * 4};
    for (const Bytes state : problem.state) all += state;
    for (cost::TrainingDevice& device : problem.classes) {
        std::vector<std::vector<cost::OperatorPasses>> rows;
        for (std::size_t v = 0; v < device.passes.size(); ++v) {
            auto& row = rows.emplace_back(device.passes[v].begin(), device.passes[v].end());
            for (cost::OperatorPasses& passes : row)
                for (cost::PassCost* pass : {&passes.forward, &passes.input_gradient, &passes.weight_gradient}) redraw(*pass);
        }
        device.passes = Rows<cost::OperatorPasses>(rows);
        if (random.chance(0.7)) device.memory_rate = rate();
        device.limited = random.chance(options.limited);
        device.memory = device.limited ? Bytes{random.between(all.count / 4, all.count + 16)} : Bytes{};
    }
    return problem;
}

/// A random order cut at random places into stages on random groups of devices, in flight what the rule says. Support, class counts and
/// memory are not heeded, the rest is.
inline cost::TrainingPartition random_training_partition(const cost::TrainingProblem& problem, RandomStream& random) {
    std::vector<cost::TrainingStage> groups;  // disjoint
    std::int64_t first = 0;
    for (std::size_t c = 0; c < problem.classes.size(); ++c) {
        const std::int64_t last = first + problem.structure.classes[c].count;
        while (first < last) {
            const std::int64_t replicas = random.between(1, last - first);
            groups.push_back({.nodes = {}, .device = ClassId(c), .first_device = first, .replicas = replicas});
            first += replicas;
        }
    }
    const auto plain = random_partition(problem.structure, 1 + random.below(problem.node_count()), random);
    const std::int64_t batch = problem.options.mini_batch;
    cost::TrainingPartition partition;
    for (const cost::Stage& stage : plain.stages) {
        cost::TrainingStage made = groups[random.below(groups.size())];
        made.nodes = stage.nodes;
        do made.micro_batch = random.between(1, batch);
        while (batch % made.micro_batch != 0);
        made.k = random.between(1, std::min<std::int64_t>(3, batch / made.micro_batch));
        made.recompute = random.chance(0.3);
        partition.stages.push_back(std::move(made));
    }
    partition = detail::must(cost::normalise(problem, std::move(partition)));
    cost::set_in_flight(problem, partition);
    return partition;
}

}  // namespace sluice::test
