#include "sluice/inference/orders.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <numeric>
#include <queue>
#include <ranges>

namespace sluice::inference {

namespace {

using cost::StageProblem;

std::vector<std::uint32_t> waiting_counts(const StageProblem& problem) {
    std::vector<std::uint32_t> waiting(problem.node_count());
    for (std::size_t v = 0; v < waiting.size(); ++v) waiting[v] = static_cast<std::uint32_t>(problem.predecessors[v].size());
    return waiting;
}

std::int64_t fastest_work(const StageProblem& problem, std::size_t node) {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (const auto& device : problem.classes)
        if (device.supported.contains(node)) least = std::min(least, device.work[node].count());
    return least == std::numeric_limits<std::int64_t>::max() ? 0 : least;
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
    struct Candidate {
        std::int64_t gain;
        std::uint32_t node;
        bool operator>(const Candidate& other) const { return gain != other.gain ? gain > other.gain : node > other.node; }
    };
    const auto priority = [&](std::size_t v) {
        return random ? static_cast<std::int64_t>(static_cast<double>(gain[v]) * factor[v]) : gain[v];
    };
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> ready;
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
    const std::size_t n = problem.node_count();
    const bool up = direction == ConeDirection::from_sinks;
    const auto& before = up ? problem.predecessors : problem.successors;
    std::vector<std::int64_t> cone(n, 0);
    std::vector<std::uint64_t> reached(n);              // of the 64 nodes of a block: those in the cone
    std::array<std::array<std::int64_t, 256>, 8> sums;  // work of every subset of 8 nodes, so that 64 are added by 8 look-ups
    for (std::size_t block = 0; block < n; block += 64) {
        for (std::size_t byte = 0; byte < 8; ++byte) {
            sums[byte][0] = 0;
            for (std::size_t set = 1; set < 256; ++set) {
                const std::size_t v = block + 8 * byte + static_cast<std::size_t>(std::countr_zero(set));
                sums[byte][set] = sums[byte][set & (set - 1)] + (v < n ? fastest_work(problem, v) : 0);
            }
        }
        // Numbers are a topological order: cones of the nodes on the far side of the block do not reach it.
        const std::size_t end = std::min(block + 64, n);
        const auto visit = [&](std::size_t v) {
            std::uint64_t word = v >= block && v < end ? std::uint64_t{1} << (v - block) : 0;
            for (NodeId u : before[v])
                if (up ? u.index() >= block : u.index() < end) word |= reached[u.index()];
            reached[v] = word;
            for (std::size_t byte = 0; word != 0 && byte < 8; ++byte) cone[v] += sums[byte][(word >> (8 * byte)) & 255];
        };
        if (up)
            for (std::size_t v = block; v < n; ++v) visit(v);
        else
            for (std::size_t v = end; v-- > 0;) visit(v);
    }
    std::vector<Duration> result;
    result.reserve(n);
    for (std::int64_t work : cone) result.emplace_back(work);
    return result;
}

Order heavy_cone_order(const StageProblem& problem, ConeDirection direction, std::span<const Duration> cones, RandomStream* random) {
    const std::size_t n = problem.node_count();
    assert(cones.size() == n);
    const bool up = direction == ConeDirection::from_sinks;
    const auto& before = up ? problem.predecessors : problem.successors;
    const auto& after = up ? problem.successors : problem.predecessors;
    std::vector<std::int64_t> weight(n);
    for (std::size_t v = 0; v < n; ++v) weight[v] = random ? perturbed(cones[v].count(), *random) : cones[v].count();
    const auto heavier = [&](NodeId a, NodeId b) {
        return weight[a.index()] != weight[b.index()] ? weight[a.index()] > weight[b.index()] : a < b;
    };

    // Light roots first: a stray sink is served right after its own small cone instead of keeping it alive to the end.
    Order roots;
    for (std::size_t v = 0; v < n; ++v)
        if (after[v].empty()) roots.push_back(NodeId(v));
    std::ranges::sort(roots, [&](NodeId a, NodeId b) { return heavier(b, a); });

    std::vector<NodeId> sorted;  // the neighbours of every node on the path, heaviest first
    struct Frame {
        NodeId node;
        std::size_t begin, next;
    };
    std::vector<Frame> path;
    std::vector<char> seen(n);
    const auto enter = [&](NodeId node) {
        seen[node.index()] = 1;
        const std::size_t begin = sorted.size();
        for (NodeId u : before[node.index()])
            if (!seen[u.index()]) sorted.push_back(u);
        std::sort(sorted.begin() + static_cast<std::ptrdiff_t>(begin), sorted.end(), heavier);
        path.push_back({node, begin, begin});
    };
    Order order;
    order.reserve(n);
    for (NodeId root : roots) {
        enter(root);
        while (!path.empty()) {
            // The neighbours of the last node on the path are the last in `sorted`.
            Frame& top = path.back();
            while (top.next < sorted.size() && seen[sorted[top.next].index()]) ++top.next;
            if (top.next < sorted.size()) {
                enter(sorted[top.next++]);
                continue;
            }
            order.push_back(top.node);
            sorted.resize(top.begin);
            path.pop_back();
        }
    }
    if (!up) std::ranges::reverse(order);
    return order;
}

}  // namespace sluice::inference
