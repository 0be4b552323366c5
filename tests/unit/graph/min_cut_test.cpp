#include "sluice/graph/min_cut.hpp"

#include <gtest/gtest.h>

namespace sluice::graph {
namespace {

TEST(FlowNetwork, TextbookNetwork) {
    FlowNetwork net(6);
    for (auto [from, to, capacity] :
         {std::array{0, 1, 16}, {0, 2, 13}, {1, 2, 10}, {2, 1, 4}, {1, 3, 12}, {3, 2, 9}, {2, 4, 14}, {4, 3, 7}, {3, 5, 20}, {4, 5, 4}})
        net.add_arc(static_cast<FlowNetwork::Vertex>(from), static_cast<FlowNetwork::Vertex>(to), capacity);
    EXPECT_EQ(net.maximum_flow(0, 5), 23);
    const auto side = net.source_side();
    EXPECT_EQ(std::vector<char>(side.begin(), side.end()), (std::vector<char>{1, 1, 1, 0, 1, 0}));
    EXPECT_EQ(net.arc_count(), 10u);
    EXPECT_EQ(net.from(5), 3u);
    EXPECT_EQ(net.to(5), 2u);
}

TEST(FlowNetwork, SourceSideIsTheSmallestOne) {
    FlowNetwork net(4);  // three equal cuts in a path
    for (FlowNetwork::Vertex v = 0; v < 3; ++v) net.add_arc(v, v + 1, 5);
    EXPECT_EQ(net.maximum_flow(0, 3), 5);
    const auto side = net.source_side();
    EXPECT_EQ(std::vector<char>(side.begin(), side.end()), (std::vector<char>{1, 0, 0, 0}));
}

TEST(FlowNetwork, InfinitePathSaysThatNoFiniteCutExists) {
    FlowNetwork net(4);
    for (int i = 0; i < 5; ++i) {
        net.add_arc(0, 1, kInfiniteCapacity);
        net.add_arc(1, 2, kInfiniteCapacity);
        net.add_arc(2, 3, kInfiniteCapacity);
    }
    EXPECT_GE(net.maximum_flow(0, 3), kInfiniteCapacity);
    net.reset(3);  // infinite arcs that a finite one closes off
    net.add_arc(0, 1, kInfiniteCapacity);
    const auto closing = net.add_arc(1, 2, kInfiniteCapacity - 1);
    EXPECT_EQ(net.maximum_flow(0, 2), kInfiniteCapacity - 1);
    EXPECT_EQ(net.flow(closing), kInfiniteCapacity - 1);
}

TEST(FlowNetwork, EnoughStopsEarlyWithAFeasibleFlow) {
    FlowNetwork net(102);
    for (FlowNetwork::Vertex v = 1; v <= 100; ++v) {
        net.add_arc(0, v, 3);
        net.add_arc(v, 101, 3);
    }
    EXPECT_EQ(net.maximum_flow(0, 101, 10), 12);
    std::int64_t out = 0;
    for (FlowNetwork::Arc arc = 0; arc < net.arc_count(); arc += 2) {
        EXPECT_EQ(net.flow(arc), net.flow(arc + 1));
        out += net.flow(arc);
    }
    EXPECT_EQ(out, 12);
    EXPECT_EQ(net.maximum_flow(0, 101, 0), 0);
    EXPECT_EQ(net.maximum_flow(0, 101), 300) << "an early stop leaves nothing behind";
}

TEST(FlowNetwork, SolvedAgainWithOtherTerminalsAndCapacities) {
    FlowNetwork net(4);
    const auto first = net.add_arc(0, 1, 7);
    net.add_arc(1, 2, 5);
    net.add_arc(2, 3, 6);
    EXPECT_EQ(net.maximum_flow(0, 3), 5);
    EXPECT_EQ(net.maximum_flow(2, 3), 6);
    EXPECT_EQ(net.flow(first), 0);
    EXPECT_EQ(net.maximum_flow(3, 0), 0);
    net.set_capacity(first, 2);
    EXPECT_EQ(net.maximum_flow(0, 3), 2);
    net.set_capacity(first, 0);
    EXPECT_EQ(net.maximum_flow(0, 3), 0);
    net.set_capacity(first, 9);
    const auto added = net.add_vertex();
    net.add_arc(0, added, 4);
    net.add_arc(added, 3, 3);
    EXPECT_EQ(net.maximum_flow(0, 3), 8);
    EXPECT_EQ(net.vertex_count(), 5u);
}

TEST(FlowNetwork, LongPathsNeedNoStack) {
    constexpr FlowNetwork::Vertex n = 200'000;
    FlowNetwork net(n);
    for (FlowNetwork::Vertex v = 0; v + 1 < n; ++v) net.add_arc(v, v + 1, 1 + (v * 7919) % 1000);
    EXPECT_EQ(net.maximum_flow(0, n - 1), 1);
}

}  // namespace
}  // namespace sluice::graph
