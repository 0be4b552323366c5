// Random training problems and partitions that hold: any graph, groups of devices with several stages, micro-batches of any divisor.
#pragma once

#include <algorithm>
#include <numeric>

#include "sluice/base/random.hpp"
#include "tests/support/training.hpp"

namespace sluice::test {

struct RandomTraining {
    cost::TrainingProblem problem;
    cost::TrainingPartition partition;
};

inline graph::Graph random_training_graph(RandomStream& random, std::size_t most_operators) {
    std::vector<GivenOperator> operators(1 + random.below(most_operators));
    for (std::size_t v = 0; v < operators.size(); ++v) {
        operators[v] = {.forward = random.between(0, 9),
                        .backward = random.between(0, 18),
                        .reads = {},
                        .made = Bytes{random.between(0, 20)},
                        .parameters = Bytes{random.chance(0.7) ? random.between(1, 30) : 0}};
        for (std::size_t u = v > 4 ? v - 4 : 0; u < v; ++u)
            if (random.chance(0.4)) operators[v].reads.push_back(u);
    }
    return given_graph(operators);
}

/// Slices of a topological order on random groups of devices; each stage a micro-batch of its own, but for schedules that want equal ones.
inline RandomTraining random_training(RandomStream& random, std::size_t most_operators, cost::Schedule schedule) {
    const graph::Graph graph = random_training_graph(random, most_operators);
    const std::int64_t devices = random.between(1, 6);
    platform::Platform platform = given_devices(devices);
    if (random.chance(0.3)) platform.model = platform::StageModel::serial;
    if (random.chance(0.5)) {
        platform.topology = platform::Topology::hierarchy;
        platform.devices_per_node = 2;
        platform.node_link = platform::Link{.rate = ByteRate{100'000'000}, .latency = Duration{random.between(0, 5)}};
    }
    constexpr std::int64_t kBatches[] = {1, 4, 6, 8, 12, 16};
    RandomTraining made{training_problem(graph, platform, kBatches[random.below(std::size(kBatches))]),
                        {.stages = {}, .schedule = schedule}};
    const std::int64_t batch = made.problem.options.mini_batch;
    std::vector<std::int64_t> sizes;
    for (std::int64_t b = 1; b <= batch; ++b)
        if (batch % b == 0) sizes.push_back(b);

    std::vector<std::pair<std::int64_t, std::int64_t>> groups;  // first device, count
    for (std::int64_t d = 0; d < devices;) {
        const std::int64_t count = random.between(1, std::min<std::int64_t>(3, devices - d));
        groups.emplace_back(d, count);
        d += count;
    }
    const bool shared = schedule != cost::Schedule::gpipe && schedule != cost::Schedule::one_f_one_b;
    const std::size_t nodes = made.problem.node_count(), most = shared ? 8 : groups.size();
    const std::int64_t one_size = sizes[random.below(sizes.size())];
    const bool equal = schedule == cost::Schedule::interleaved || random.chance(0.5);
    for (std::size_t at = 0; at < nodes;) {
        const std::size_t left = most - made.partition.stages.size();
        const std::size_t take = left == 1 ? nodes - at : 1 + random.below(nodes - at);
        cost::TrainingStage stage;
        for (std::size_t i = 0; i < take; ++i) stage.nodes.emplace_back(at + i);
        const auto& group = groups[shared ? random.below(groups.size()) : made.partition.stages.size()];
        stage.first_device = group.first;
        stage.replicas = group.second;
        stage.micro_batch = equal ? one_size : sizes[random.below(sizes.size())];
        stage.k =
            equal || schedule != cost::Schedule::one_f_one_b ? 1 : random.between(1, std::min<std::int64_t>(3, batch / stage.micro_batch));
        stage.recompute = random.chance(0.2);
        stage.joint_backward = random.chance(0.3);
        made.partition.stages.push_back(std::move(stage));
        at += take;
    }
    cost::set_in_flight(made.problem, made.partition);
    if (schedule == cost::Schedule::list)
        for (cost::TrainingStage& stage : made.partition.stages)
            stage.in_flight = std::min(batch, stage.in_flight + stage.micro_batch * random.between(0, 2));
    return made;
}

}  // namespace sluice::test
