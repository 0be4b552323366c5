#include "sluice/program/lower.hpp"

#include <algorithm>
#include <bit>
#include <format>

#include "sluice/base/distinct.hpp"

namespace sluice::program {

namespace {

/// Stages, then the host's two sides, as vertices of one graph of levels.
struct Levels {
    std::vector<std::int64_t> level, length;  // when a stage takes up an input, and until it has handed it on, in periods
};

std::size_t vertex_of(StageId stage, std::size_t host) { return stage.valid() ? stage.index() : host; }

/// Levels with level(to) >= level(from) + length(from) on every channel: the earliest, then each stage moved to the side where more bytes
/// wait less long. Few passes of local improvement; every state between them is valid.
Levels levels_of(const Program& program, std::int64_t steps) {
    const std::size_t stages = program.stages.size(), feed = stages, collect = stages + 1;
    Levels levels{std::vector<std::int64_t>(stages + 2, 0), std::vector<std::int64_t>(stages + 2, 1)};
    for (std::size_t s = 0; s < stages; ++s) levels.length[s] = steps * program.stages[s].replicas;

    std::vector<std::vector<std::size_t>> before(stages + 2), after(stages + 2);
    std::vector<long double> pull(stages + 2, 0);  // bytes leaving less bytes entering; sums of int64 need not fit one
    for (const Channel& channel : program.channels) {
        const std::size_t from = vertex_of(channel.from, feed), to = vertex_of(channel.to, collect);
        before[to].push_back(from);
        after[from].push_back(to);
        pull[from] += static_cast<long double>(channel.bytes.count);
        pull[to] -= static_cast<long double>(channel.bytes.count);
    }
    for (auto* rows : {&before, &after})
        for (auto& row : *rows) keep_distinct(row);
    const auto earliest = [&](std::size_t v) {
        std::int64_t level = levels.length[feed];
        for (std::size_t u : before[v]) level = std::max(level, levels.level[u] + levels.length[u]);
        return level;
    };
    for (std::size_t s = 0; s < stages; ++s) levels.level[s] = earliest(s);
    levels.level[collect] = earliest(collect);
    for (int pass = 0; pass < 4; ++pass) {
        for (std::size_t s = stages; s-- > 0;) {
            if (pull[s] <= 0 || after[s].empty()) continue;
            std::int64_t latest = levels.level[after[s].front()];
            for (std::size_t v : after[s]) latest = std::min(latest, levels.level[v]);
            levels.level[s] = std::max(levels.level[s], latest - levels.length[s]);
        }
        for (std::size_t s = 0; s < stages; ++s)
            if (pull[s] < 0) levels.level[s] = earliest(s);
    }
    return levels;
}

std::int64_t power_of_two_from(std::int64_t count) {
    return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(count, 1))));
}

/// See lower.hpp for why these never throttle.
void give_credits(Program& program, cost::StageModel model) {
    const bool overlap = model == cost::StageModel::overlap;
    const std::size_t stages = program.stages.size();
    const Levels levels = levels_of(program, overlap ? 3 : 1);
    const auto replicas_of = [&](StageId stage) { return stage.valid() ? program.stages[stage.index()].replicas : 1; };
    for (Channel& channel : program.channels) {
        const std::int64_t readers = replicas_of(channel.to);
        std::int64_t periods = levels.level[vertex_of(channel.to, stages + 1)] - levels.level[vertex_of(channel.from, stages)] + readers;
        if (overlap && channel.to.valid()) periods += readers;                          // entering and work are two steps
        if (overlap && channel.from.valid()) periods -= 2 * replicas_of(channel.from);  // it leaves in the third
        channel.credits = power_of_two_from((periods + readers - 1) / readers);
    }
}

void add_lists(Program& program) {
    const std::size_t stages = program.stages.size();
    std::vector<std::vector<Instruction>> bodies(stages);
    InstructionList feed, collect;
    feed.role = Role::feed;
    collect.role = Role::collect;
    const auto each = [&](InstructionKind kind, StageId Channel::* end, std::vector<Instruction>& host) {
        for (std::size_t c = 0; c < program.channels.size(); ++c) {
            const StageId at = program.channels[c].*end;
            (at.valid() ? bodies[at.index()] : host).push_back({kind, ChannelId(c)});
        }
    };
    each(InstructionKind::receive, &Channel::to, collect.body);
    for (auto& body : bodies) body.push_back({InstructionKind::forward, {}});
    each(InstructionKind::send, &Channel::from, feed.body);

    program.lists = {std::move(feed), std::move(collect)};
    for (std::size_t s = 0; s < stages; ++s)
        for (std::int64_t q = 0; q < program.stages[s].replicas; ++q)
            program.lists.push_back({.rank = program.stages[s].first_rank + q,
                                     .role = Role::stage,
                                     .stage = StageId(s),
                                     .replica = q,
                                     .first = q,
                                     .stride = program.stages[s].replicas,
                                     .body = bodies[s]});
}

/// From producer to each stage that reads the tensor, in the order of producers: what was made first is received first.
std::vector<Channel> channels_of(const graph::Graph& graph, const cost::StageProblem& problem, const cost::Partition& partition) {
    std::vector<StageId> stage_of(problem.node_count());
    for (std::size_t s = 0; s < partition.stages.size(); ++s)
        for (NodeId node : partition.stages[s].nodes) stage_of[node.index()] = StageId(s);
    std::vector<EdgeId> edge_of(graph.tensor_count());
    for (std::size_t e = 0; e < problem.edge_count(); ++e) edge_of[problem.tensor[e].index()] = EdgeId(e);

    std::vector<Channel> channels;
    for (std::size_t t = 0; t < graph.tensor_count(); ++t) {
        const TensorId id(t);
        const graph::Tensor& tensor = graph[id];
        const OperatorId op = graph.producer(id);
        const NodeId producer = op.valid() ? problem.node_of[op.index()] : NodeId{};
        if (op.valid() && !producer.valid()) continue;  // made again wherever it is needed
        const StageId from = op.valid() ? stage_of[producer.index()] : StageId{};
        const EdgeId edge = edge_of[t];
        Channel channel{.tensor = tensor.name, .tensor_id = id, .from = from, .to = {}, .bytes = tensor.bytes};
        std::vector<StageId> readers;
        if (edge.valid()) {
            channel.bytes = problem.bytes[edge.index()];
            channel.transfer = problem.transfer[edge.index()];
            for (NodeId node : problem.consumers[edge.index()])
                if (stage_of[node.index()] != from) readers.push_back(stage_of[node.index()]);
        }
        keep_distinct(readers);
        for (StageId to : readers) {
            channel.to = to;
            channels.push_back(channel);
        }
        if (!op.valid() || !tensor.model_output) continue;
        channel.to = {};
        if (!edge.valid() || !problem.to_host[edge.index()]) channel.transfer = Duration{0};
        channels.push_back(channel);
    }
    // The host first; tensors, and the readers of each, stay in order.
    std::ranges::stable_sort(channels, {}, [](const Channel& channel) { return channel.from.valid() ? channel.from.index() + 1 : 0; });
    return channels;
}

}  // namespace

Result<Program> lower(const graph::Graph& graph, const cost::StageProblem& problem, const cost::Partition& partition) {
    if (auto faults = cost::faults_of(problem, partition, 0); !faults.empty()) return fail(std::move(faults.front()));
    Program program;
    for (const cost::Stage& stage : partition.stages) {
        if (stage.replicas > kMostRanks - program.ranks)
            return fail(input_error(std::format("stage {} is served by {} devices, with the stages before it more than {} processes",
                                                program.stages.size(), stage.replicas, kMostRanks))
                            .fix("plan for fewer devices"));
        const cost::StageTerms terms = cost::stage_terms(problem, stage.nodes, stage.device);
        program.stages.push_back({.replicas = stage.replicas,
                                  .first_rank = program.ranks,
                                  .device_class = problem.classes[stage.device.index()].name,
                                  .work = terms.work,
                                  .spill = terms.spill,
                                  .parameters = terms.parameters,
                                  .peak = terms.peak});
        program.ranks += stage.replicas;
    }
    program.channels = channels_of(graph, problem, partition);
    give_credits(program, problem.model);
    add_lists(program);
    return program;
}

}  // namespace sluice::program
