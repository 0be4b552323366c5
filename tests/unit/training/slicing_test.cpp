// Orders cut into slices: which cuts are possible, and pieces for sums of gradients.
#include "sluice/training/auto/slicing.hpp"

#include <gtest/gtest.h>

#include "tests/support/training.hpp"

namespace sluice::training {
namespace {

TEST(Slicing, AGroupOfManyNodesHasTheLinksOfAllOfThem) {
    // A cut carries 8 samples x (1000 bytes there, 1000 back) = 16 us over one link at 1 GB/s, 4 us over those of the four nodes that a
    // group has; each half computes for 10 us.
    auto operators = test::chain_of(2, {.forward = 1'000'000, .backward = 9'000'000, .made = Bytes{1000}});
    auto platform = test::given_devices(16);
    platform.topology = platform::Topology::hierarchy;
    platform.devices_per_node = 2;
    platform.node_link = platform::Link{.rate = ByteRate{1'000'000'000}, .latency = Duration{0}};
    const auto problem = test::training_problem(test::given_graph(operators), platform, 8);
    const std::vector<NodeId> order{NodeId(0), NodeId(1)};
    Slicer slicer(problem, order);
    const auto layout = slicer.in_turn(8, 8, 1, false);
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->cuts, (std::vector<std::uint32_t>{1, 2}));
    EXPECT_LT(slicer.load(), 16'000'000);
}

TEST(Slicing, PiecesHaveEqualParameters) {
    auto operators = test::chain_of(6);
    operators[0].parameters = Bytes{12};
    const auto problem = test::training_problem(test::given_graph(operators), test::given_devices(2), 4);
    std::vector<NodeId> order;
    for (std::size_t v = 0; v < 6; ++v) order.emplace_back(v);
    const Slicer slicer(problem, order);
    Layout whole{.order = &order, .cuts = {6}, .groups = {{0, 2}}, .group_of = {0}, .micro_batch = 4};
    const Layout halves = slicer.in_pieces(whole, 2);
    EXPECT_EQ(halves.cuts, (std::vector<std::uint32_t>{2, 6}));  // 16 of 32 bytes
    EXPECT_EQ(halves.group_of, (std::vector<std::uint32_t>{0, 0}));
    whole.groups = {{0, 1}};
    EXPECT_EQ(slicer.in_pieces(whole, 2), whole) << "nothing is summed on one device";
}

}  // namespace
}  // namespace sluice::training
