// Series-parallel trees against the order they are made of.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>

#include "sluice/base/random.hpp"
#include "sluice/graph/node_set.hpp"
#include "sluice/graph/series_parallel.hpp"

namespace sluice::graph {
namespace {

using Kind = SeriesParallelTree::Kind;
using Order = std::vector<NodeSet>;  // per node, what comes after it

Order order_of(std::size_t nodes, const std::vector<Arc>& arcs) {
    Order order(nodes, NodeSet(nodes));
    for (const Arc& arc : arcs) order[arc.from].insert(arc.to);
    for (std::size_t k = 0; k < nodes; ++k)
        for (std::size_t v = 0; v < nodes; ++v)
            if (order[v].contains(k)) order[v] |= order[k];
    return order;
}

/// Fails where a node is not in the tree once.
Order implied_order(const SeriesParallelTree& tree, std::size_t nodes) {
    Order order(nodes, NodeSet(nodes));
    std::vector<NodeSet> leaves;
    std::vector<int> met(nodes, 0);
    for (const auto& part : tree.parts) {
        NodeSet below(nodes);
        if (part.kind == Kind::leaf) {
            below.insert(part.node);
            ++met[part.node];
        } else {
            RC_ASSERT(part.children.size() >= 2U);
        }
        for (const std::uint32_t child : part.children) {
            RC_ASSERT(tree.parts[child].kind != part.kind);
            if (part.kind == Kind::series) below.for_each([&](std::size_t v) { order[v] |= leaves[child]; });
            below |= leaves[child];
        }
        leaves.push_back(below);
    }
    RC_ASSERT(met == std::vector<int>(nodes, 1));
    RC_ASSERT(leaves.back().count() == nodes);
    return order;
}

bool has_n(const Order& order) {
    const std::size_t n = order.size();
    const auto apart = [&](std::size_t x, std::size_t y) { return x != y && !order[x].contains(y) && !order[y].contains(x); };
    for (std::size_t a = 0; a < n; ++a)
        for (std::size_t c = 0; c < n; ++c)
            for (std::size_t b = 0; b < n && order[a].contains(c); ++b)
                for (std::size_t d = 0; d < n && order[b].contains(c) && apart(a, b); ++d)
                    if (order[b].contains(d) && apart(a, d) && apart(c, d)) return true;
    return false;
}

/// Random parts over nodes [first, last) of `name`; arcs join neighbours in series, all sinks with all sources.
struct RandomParts {
    RandomStream& random;
    std::vector<Arc> arcs = {};
    struct Ends {
        std::vector<std::uint32_t> sources, sinks;
    };
    Ends make(const std::vector<std::uint32_t>& name, std::size_t first, std::size_t last) {
        if (last - first == 1) return {{name[first]}, {name[first]}};
        const auto middle =
            static_cast<std::size_t>(random.between(static_cast<std::int64_t>(first) + 1, static_cast<std::int64_t>(last) - 1));
        Ends a = make(name, first, middle), b = make(name, middle, last);
        if (random.between(0, 1) == 0) {
            for (const auto from : a.sinks)
                for (const auto to : b.sources) arcs.push_back({from, to});
            return {a.sources, b.sinks};
        }
        a.sources.insert(a.sources.end(), b.sources.begin(), b.sources.end());
        a.sinks.insert(a.sinks.end(), b.sinks.begin(), b.sinks.end());
        return a;
    }
};

RC_GTEST_PROP(SeriesParallelProperty, SeriesParallelOrdersAreRecognised, (std::uint64_t seed)) {
    RandomStream random(seed);
    const auto nodes = static_cast<std::size_t>(random.between(1, 60));
    std::vector<std::uint32_t> name(nodes);
    for (std::uint32_t v = 0; v < nodes; ++v) name[v] = v;
    for (std::size_t v = nodes; v > 1; --v)
        std::swap(name[v - 1], name[static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(v) - 1))]);
    RandomParts parts{random};
    parts.make(name, 0, nodes);
    const Order order = order_of(nodes, parts.arcs);
    for (std::uint32_t v = 0; v < nodes; ++v)  // arcs beside a longer way change nothing
        order[v].for_each([&](std::size_t w) {
            if (random.between(0, 7) == 0) parts.arcs.push_back({v, static_cast<std::uint32_t>(w)});
        });
    const SeriesParallelTree tree = series_parallel_tree(nodes, parts.arcs);
    RC_ASSERT(tree.converted == 0U);
    RC_ASSERT(implied_order(tree, nodes) == order);
}

RC_GTEST_PROP(SeriesParallelProperty, PrecedenceIsOnlyAddedAndOnlyWhereThereIsAnN, (std::uint64_t seed)) {
    RandomStream random(seed);
    const auto nodes = static_cast<std::size_t>(random.between(1, 16));
    const std::int64_t sparse = random.between(1, 8);
    std::vector<Arc> arcs;
    for (std::uint32_t v = 0; v < nodes; ++v)
        for (std::uint32_t w = v + 1; w < nodes; ++w)
            if (random.between(0, sparse) == 0) arcs.push_back({v, w});
    const Order order = order_of(nodes, arcs);
    const SeriesParallelTree tree = series_parallel_tree(nodes, arcs);
    const Order implied = implied_order(tree, nodes);
    for (std::size_t v = 0; v < nodes; ++v) RC_ASSERT(implied[v].contains(order[v]));
    RC_ASSERT((tree.converted == 0) == !has_n(order));
    if (tree.converted == 0) RC_ASSERT(implied == order);
}

RC_GTEST_PROP(SeriesParallelProperty, LargerGraphsKeepEveryNodeAndArc, (std::uint64_t seed)) {
    RandomStream random(seed);
    const auto nodes = static_cast<std::size_t>(random.between(100, 400));
    const std::int64_t reach = random.between(2, 80);
    std::vector<Arc> arcs;
    for (std::uint32_t v = 1; v < nodes; ++v)
        for (std::int64_t i = random.between(0, 3); i > 0; --i)
            arcs.push_back({static_cast<std::uint32_t>(random.between(std::max<std::int64_t>(0, v - reach), v - 1)), v});
    const Order implied = implied_order(series_parallel_tree(nodes, arcs), nodes);
    for (const Arc& arc : arcs) RC_ASSERT(implied[arc.from].contains(arc.to));
}

}  // namespace
}  // namespace sluice::graph
