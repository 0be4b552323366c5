#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <ranges>
#include <span>
#include <utility>

#include "sluice/mcm/search/order_dp.hpp"

namespace sluice::mcm {

namespace {

using Labels = std::vector<std::uint32_t>;
constexpr std::uint32_t kUnreached = std::numeric_limits<std::uint32_t>::max();

/// Nodes on the longest path that ends at each (`before` = predecessors), or that begins there (successors, nodes from the last one).
template <typename Nodes>
Labels depths(const Rows<NodeId>& before, const Nodes& nodes) {
    Labels depth(before.size(), 0);
    for (const std::size_t v : nodes)
        for (const NodeId u : before[v]) depth[v] = std::max(depth[v], depth[u.index()] + 1);
    return depth;
}

/// Positions in the post-order from the nodes that nobody reads, shallow ones first: a side output comes early, and of the inputs of a node
/// the deepest comes first, so that what is short lands just before its reader.
Labels depth_first_positions(const cost::StageProblem& costs) {
    const std::size_t n = costs.node_count();
    const Labels depth = depths(costs.predecessors, std::views::iota(std::size_t{0}, n));
    std::vector<std::uint32_t> sinks;
    for (std::uint32_t v = 0; v < n; ++v)
        if (costs.successors[v].empty()) sinks.push_back(v);
    std::ranges::stable_sort(sinks, {}, [&](std::uint32_t v) { return depth[v]; });
    Labels position(n, kUnreached);
    std::vector<char> seen(n, 0);
    struct Frame {
        std::uint32_t node;
        std::vector<std::uint32_t> inputs;  // those to come, last first
    };
    std::vector<Frame> stack;
    std::uint32_t next = 0;
    const auto enter = [&](std::uint32_t v) {
        seen[v] = 1;
        Frame frame{v, {}};
        for (const NodeId u : costs.predecessors[v]) frame.inputs.push_back(static_cast<std::uint32_t>(u.index()));
        std::ranges::stable_sort(frame.inputs, {}, [&](std::uint32_t u) { return depth[u]; });
        stack.push_back(std::move(frame));
    };
    for (const std::uint32_t sink : sinks) {
        enter(sink);
        while (!stack.empty()) {
            if (stack.back().inputs.empty()) {
                position[stack.back().node] = next++;
                stack.pop_back();
                continue;
            }
            const std::uint32_t input = stack.back().inputs.back();
            stack.back().inputs.pop_back();
            if (seen[input] == 0) enter(input);
        }
    }
    return position;
}

/// Distances from `anchor`, 1 along `ahead`, 0 along `back`: the greatest solution with the anchor at 0.
void label_from(const Rows<NodeId>& ahead, const Rows<NodeId>& back, std::uint32_t anchor, Labels& label,
                std::vector<std::uint32_t>& reached) {
    reached.clear();
    std::deque<std::uint32_t> queue{anchor};
    label[anchor] = 0;
    while (!queue.empty()) {
        const std::uint32_t v = queue.front();
        queue.pop_front();
        const auto relax = [&](NodeId node, std::uint32_t distance, bool first) {
            const auto w = static_cast<std::uint32_t>(node.index());
            if (label[w] <= distance) return;
            label[w] = distance;
            first ? queue.push_front(w) : queue.push_back(w);
        };
        reached.push_back(v);
        for (const NodeId node : back[v]) relax(node, label[v], true);
        for (const NodeId node : ahead[v]) relax(node, label[v] + 1, false);
    }
}

/// The greatest solution on every component, from the anchor whose farthest node is the farthest. `starts`: nodes without anything behind,
/// those with the longest way ahead first.
Labels greatest_labels(const Rows<NodeId>& ahead, const Rows<NodeId>& back, std::span<const std::uint32_t> starts) {
    constexpr std::size_t kMostTried = 64;
    Labels best(ahead.size(), kUnreached), label(ahead.size(), kUnreached);
    std::vector<std::uint32_t> reached;
    std::vector<std::size_t> tried(ahead.size(), 0);  // anchors tried in the component, kept at its first node
    std::vector<std::uint32_t> first_of(ahead.size(), kUnreached), farthest(ahead.size(), 0);
    for (const std::uint32_t start : starts) {
        const std::uint32_t known = first_of[start];
        if (known != kUnreached && tried[known] >= kMostTried) continue;
        label_from(ahead, back, start, label, reached);
        std::uint32_t far = 0;
        for (const std::uint32_t v : reached) far = std::max(far, label[v]);
        const std::uint32_t owner = known == kUnreached ? start : known;
        if (known == kUnreached || far > farthest[owner]) {
            farthest[owner] = far;
            for (const std::uint32_t v : reached) best[v] = label[v], first_of[v] = owner;
        }
        ++tried[owner];
        for (const std::uint32_t v : reached) label[v] = kUnreached;
    }
    return best;
}

std::vector<std::uint32_t> ends(const Rows<NodeId>& back, const Labels& way_ahead) {
    std::vector<std::uint32_t> nodes;
    for (std::uint32_t v = 0; v < back.size(); ++v)
        if (back[v].empty()) nodes.push_back(v);
    std::ranges::stable_sort(nodes, std::ranges::greater{}, [&](std::uint32_t v) { return way_ahead[v]; });
    return nodes;
}

Labels greatest(const cost::StageProblem& costs) {
    const auto back_to_front = std::views::iota(std::size_t{0}, costs.node_count()) | std::views::reverse;
    const Labels way = depths(costs.successors, back_to_front);
    return greatest_labels(costs.successors, costs.predecessors, ends(costs.predecessors, way));
}

Labels least(const cost::StageProblem& costs) {
    const Labels way = depths(costs.predecessors, std::views::iota(std::size_t{0}, costs.node_count()));
    Labels labels = greatest_labels(costs.predecessors, costs.successors, ends(costs.successors, way));
    const std::uint32_t top = std::ranges::max(labels);
    for (std::uint32_t& label : labels) label = top - label;
    return labels;
}

}  // namespace

std::string_view to_text(OrderKind kind) {
    switch (kind) {
        case OrderKind::depth_first:
            return "depth first";
        case OrderKind::greatest:
            return "greatest labels";
        case OrderKind::least:
            return "least labels";
        case OrderKind::middle:
            return "middle labels";
        case OrderKind::model:
            return "model order";
    }
    return "?";
}

std::vector<NodeId> make_order(const cost::StageProblem& costs, OrderKind kind) {
    const Labels position = depth_first_positions(costs);
    Labels label(costs.node_count(), 0);
    if (kind == OrderKind::greatest) label = greatest(costs);
    if (kind == OrderKind::least) label = least(costs);
    if (kind == OrderKind::middle) {
        label = greatest(costs);
        const Labels other = least(costs);
        for (std::size_t v = 0; v < label.size(); ++v) label[v] = (label[v] + other[v]) / 2;
    }
    std::vector<NodeId> order;
    for (std::size_t v = 0; v < costs.node_count(); ++v) order.emplace_back(v);
    if (kind == OrderKind::model) return order;
    std::ranges::sort(order, {}, [&](NodeId v) { return std::pair(label[v.index()], position[v.index()]); });
    return order;
}

std::vector<NodeId> perturbed_order(const cost::StageProblem& costs, std::span<const NodeId> order, double spread, RandomStream& random) {
    const std::size_t n = order.size();
    std::vector<double> key(n);
    for (std::size_t i = 0; i < n; ++i)
        key[order[i].index()] = static_cast<double>(i) + spread * static_cast<double>(n) * (2 * random.unit() - 1);
    std::vector<std::size_t> waiting(n);
    std::vector<std::pair<double, std::uint32_t>> ready;  // a heap, least first
    const auto enter = [&](std::size_t v) {
        ready.emplace_back(key[v], static_cast<std::uint32_t>(v));
        std::ranges::push_heap(ready, std::ranges::greater{});
    };
    for (std::size_t v = 0; v < n; ++v)
        if ((waiting[v] = costs.predecessors[v].size()) == 0) enter(v);
    std::vector<NodeId> result;
    while (!ready.empty()) {
        std::ranges::pop_heap(ready, std::ranges::greater{});
        const std::uint32_t v = ready.back().second;
        ready.pop_back();
        result.emplace_back(v);
        for (const NodeId w : costs.successors[v])
            if (--waiting[w.index()] == 0) enter(w.index());
    }
    return result;
}

}  // namespace sluice::mcm
