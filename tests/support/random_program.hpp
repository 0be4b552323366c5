// Programs for tests: lowered from random partitions with replicas, and small ones by hand.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sluice/program/lower.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::test {

struct LoweredPlan {
    graph::Graph graph;
    platform::Platform platform;
    cost::StageProblem problem;
    cost::Partition partition;
    program::Program program;
};

/// Hard memory is left out: a random partition would not keep to it.
inline LoweredPlan random_lowered_plan(RandomStream& random, RandomProblemOptions options, std::size_t stages, std::int64_t replicas) {
    options.hard = 0;
    options.mixed = 0;
    options.classes = 0;
    graph::Graph graph = random_graph(random, options);
    platform::Platform platform = random_platform(graph, random, options);
    platform.classes.front().count = static_cast<std::int64_t>(stages) * replicas;
    cost::StageProblem problem = detail::must(cost::freeze(graph, platform)).problem;
    cost::Partition partition = random_partition(problem, stages, random);
    for (cost::Stage& stage : partition.stages) stage.replicas = random.chance(0.5) ? 1 : random.between(1, replicas);
    program::Program program = detail::must(program::lower(graph, problem, partition));
    return {std::move(graph), std::move(platform), std::move(problem), std::move(partition), std::move(program)};
}

/// A program by hand: stages with their work and replicas, channels, then the lists that any sound program has.
struct StageSketch {
    std::int64_t work = 0, replicas = 1;
};
struct ChannelSketch {
    int from = -1, to = -1;  // -1: the host
    std::int64_t transfer = 0, credits = 2, bytes = 1;
    int tensor = -1;  // channels of one tensor share it; -1: its own
};

inline program::Program program_of(const std::vector<StageSketch>& stages, const std::vector<ChannelSketch>& channels) {
    using namespace program;
    Program made;
    for (const StageSketch& sketch : stages) {
        Stage stage;
        stage.work = Duration{sketch.work};
        stage.replicas = sketch.replicas;
        stage.first_rank = made.ranks;
        stage.device_class = "device";
        made.ranks += sketch.replicas;
        made.stages.push_back(std::move(stage));
    }
    const auto stage_at = [](int index) { return index < 0 ? StageId{} : StageId(static_cast<std::size_t>(index)); };
    for (const ChannelSketch& sketch : channels) {
        const std::size_t tensor = sketch.tensor < 0 ? 1000 + made.channels.size() : static_cast<std::size_t>(sketch.tensor);
        Channel channel;
        channel.tensor = std::format("t{}", tensor);
        channel.tensor_id = TensorId(tensor);
        channel.from = stage_at(sketch.from);
        channel.to = stage_at(sketch.to);
        channel.bytes = {sketch.bytes};
        channel.transfer = Duration{sketch.transfer};
        channel.credits = sketch.credits;
        made.channels.push_back(std::move(channel));
    }
    const auto body_of = [&](StageId at, bool receives, bool sends) {
        std::vector<Instruction> body;
        for (std::size_t c = 0; c < made.channels.size() && receives; ++c)
            if (made.channels[c].to == at) body.push_back({InstructionKind::receive, ChannelId(c)});
        if (at.valid()) body.push_back({InstructionKind::forward, {}});
        for (std::size_t c = 0; c < made.channels.size() && sends; ++c)
            if (made.channels[c].from == at) body.push_back({InstructionKind::send, ChannelId(c)});
        return body;
    };
    InstructionList host;
    host.role = Role::feed;
    host.body = body_of({}, false, true);
    made.lists.push_back(host);
    host.role = Role::collect;
    host.body = body_of({}, true, false);
    made.lists.push_back(host);
    for (std::size_t s = 0; s < stages.size(); ++s)
        for (std::int64_t q = 0; q < stages[s].replicas; ++q) {
            InstructionList list;
            list.rank = made.stages[s].first_rank + q;
            list.stage = StageId(s);
            list.replica = list.first = q;
            list.stride = stages[s].replicas;
            list.body = body_of(StageId(s), true, true);
            made.lists.push_back(std::move(list));
        }
    return made;
}

}  // namespace sluice::test
