#include "sluice/inference/orders.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <numeric>
#include <queue>
#include <ranges>

#include "sluice/inference/splits.hpp"
#include "sluice/search/cones.hpp"

namespace sluice::inference {

namespace {

using cost::StageProblem;

std::vector<std::uint32_t> waiting_counts(const StageProblem& problem) {
    std::vector<std::uint32_t> waiting(problem.node_count());
    for (std::size_t v = 0; v < waiting.size(); ++v) waiting[v] = static_cast<std::uint32_t>(problem.predecessors[v].size());
    return waiting;
}

std::int64_t perturbed(std::int64_t value, RandomStream& random) {
    return static_cast<std::int64_t>(static_cast<double>(value) * (0.5 + random.unit()));
}

}  // namespace

Order model_order(const StageProblem& problem) {
    Order order;
    order.reserve(problem.node_count());
    for (std::size_t v = 0; v < problem.node_count(); ++v) order.push_back(NodeId(v));
    return order;
}

Order random_order(const StageProblem& problem, RandomStream& random) {
    auto waiting = waiting_counts(problem);
    Order order, ready;
    order.reserve(problem.node_count());
    for (std::size_t v = 0; v < problem.node_count(); ++v)
        if (waiting[v] == 0) ready.push_back(NodeId(v));
    while (!ready.empty()) {
        std::swap(ready[random.below(ready.size())], ready.back());
        const NodeId node = ready.back();
        ready.pop_back();
        order.push_back(node);
        for (NodeId next : problem.successors[node.index()])
            if (--waiting[next.index()] == 0) ready.push_back(next);
    }
    return order;
}

Order depth_first_order(const StageProblem& problem, RandomStream* random) {
    auto waiting = waiting_counts(problem);
    Order order, ready;
    order.reserve(problem.node_count());
    for (std::size_t v = problem.node_count(); v-- > 0;)
        if (waiting[v] == 0) ready.push_back(NodeId(v));
    if (random) random->shuffle(std::span(ready));
    while (!ready.empty()) {
        const NodeId node = ready.back();
        ready.pop_back();
        order.push_back(node);
        const std::size_t before = ready.size();
        for (NodeId next : std::views::reverse(problem.successors[node.index()]))
            if (--waiting[next.index()] == 0) ready.push_back(next);
        if (random) random->shuffle(std::span(ready).subspan(before));
    }
    return order;
}

Order greedy_frontier_order(const StageProblem& problem, RandomStream* random) {
    const std::size_t n = problem.node_count();
    auto waiting = waiting_counts(problem);
    // What a node would add to the transfers alive: its outputs, less the inputs that nobody else still waits for.
    std::vector<std::int64_t> gain(n, 0);
    std::vector<double> factor(n, 1.0);
    if (random)
        for (double& f : factor) f = 0.5 + random->unit();
    std::vector<std::uint32_t> readers(problem.edge_count());
    for (std::size_t e = 0; e < problem.edge_count(); ++e) {
        readers[e] = static_cast<std::uint32_t>(problem.consumers[e].size());
        if (!problem.producer[e].valid()) continue;
        if (readers[e] > 0) gain[problem.producer[e].index()] += problem.transfer[e].count();
        if (readers[e] == 1) gain[problem.consumers[e][0].index()] -= problem.transfer[e].count();
    }
    struct ReadyNode {
        std::int64_t gain;
        std::uint32_t node;
        bool operator>(const ReadyNode& other) const { return gain != other.gain ? gain > other.gain : node > other.node; }
    };
    const auto priority = [&](std::size_t v) {
        return random ? static_cast<std::int64_t>(static_cast<double>(gain[v]) * factor[v]) : gain[v];
    };
    std::priority_queue<ReadyNode, std::vector<ReadyNode>, std::greater<>> ready;
    const auto push = [&](std::size_t v) { ready.push({priority(v), static_cast<std::uint32_t>(v)}); };
    for (std::size_t v = 0; v < n; ++v)
        if (waiting[v] == 0) push(v);
    std::vector<char> done(n);
    Order order;
    order.reserve(n);
    while (!ready.empty()) {
        const std::size_t v = ready.top().node;
        ready.pop();
        if (done[v]) continue;  // an older, dearer entry
        done[v] = 1;
        order.push_back(NodeId(v));
        for (EdgeId edge : problem.inputs[v]) {
            const std::size_t e = edge.index();
            if (!problem.producer[e].valid() || --readers[e] != 1) continue;
            const auto reader = std::ranges::find_if(problem.consumers[e], [&](NodeId c) { return !done[c.index()]; });
            gain[reader->index()] -= problem.transfer[e].count();
            if (waiting[reader->index()] == 0) push(reader->index());
        }
        for (NodeId next : problem.successors[v])
            if (--waiting[next.index()] == 0) push(next.index());
    }
    return order;
}

std::vector<Duration> cone_work(const StageProblem& problem, ConeDirection direction) {
    const bool up = direction == ConeDirection::from_sinks;
    std::vector<std::int64_t> work(problem.node_count());
    for (std::size_t v = 0; v < work.size(); ++v) work[v] = fastest_work(problem, v).count();
    std::vector<Duration> result;
    result.reserve(work.size());
    for (std::int64_t cone : search::cone_work(up ? problem.predecessors : problem.successors, work, up)) result.emplace_back(cone);
    return result;
}

Order heavy_cone_order(const StageProblem& problem, ConeDirection direction, std::span<const Duration> cones, RandomStream* random) {
    assert(cones.size() == problem.node_count());
    const bool up = direction == ConeDirection::from_sinks;
    std::vector<std::int64_t> weight(cones.size());
    for (std::size_t v = 0; v < weight.size(); ++v) weight[v] = random ? perturbed(cones[v].count(), *random) : cones[v].count();
    const auto &before = up ? problem.predecessors : problem.successors, &after = up ? problem.successors : problem.predecessors;
    return search::heavy_first_post_order(before, after, std::span<const std::int64_t>(weight), up);
}

}  // namespace sluice::inference
