// Slicing at the edges: numbers near the limit, more devices than nodes, too many combinations, being told to stop.
#include "sluice/search/slice.hpp"

#include <gtest/gtest.h>

#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

cost::StageProblem chain(std::size_t nodes, std::int64_t work, std::int64_t transfer, std::vector<std::int64_t> counts) {
    graph::GraphBuilder builder("chain");
    graph::GivenCosts given;
    for (std::size_t c = 0; c < counts.size(); ++c)
        given.classes.push_back({.name = "class" + std::to_string(c),
                                 .count = counts[c],
                                 .memory = {},
                                 .time = std::vector(nodes, std::optional(Duration{work * static_cast<std::int64_t>(c + 1)}))});
    std::vector<TensorId> before;
    for (std::size_t i = 0; i < nodes; ++i) {
        graph::Tensor tensor;
        tensor.name = "t" + std::to_string(i);
        graph::Operator op;
        op.name = "op" + std::to_string(i);
        given.transfer.push_back(Duration{transfer});
        const TensorId made = builder.add_tensor(std::move(tensor));
        builder.add_operator(std::move(op), before, std::vector{made}, {});
        before = {made};
    }
    builder.set_given_costs(std::move(given));
    const auto graph = test::detail::must(std::move(builder).build());
    return test::detail::must(cost::freeze(graph, platform::given_platform(graph))).problem;
}

std::vector<NodeId> order_of(const cost::StageProblem& problem) {
    std::vector<NodeId> order;
    for (std::size_t v = 0; v < problem.node_count(); ++v) order.emplace_back(v);
    return order;
}

TEST(Slicer, NumbersNearTheLimit) {
    const std::int64_t work = kLargestTotal.count() / 16;
    const auto problem = chain(8, work, work / 4, {4});
    const auto partition = search::Slicer(problem).slice(order_of(problem), {.stages = 4});
    ASSERT_TRUE(partition);
    EXPECT_EQ(price(problem, *partition).bottleneck, Duration{2 * work + 2 * (work / 4)});
    EXPECT_EQ(partition->stages.size(), 4u);
}

TEST(Slicer, MoreStagesThanNodes) {
    const auto problem = chain(3, 10, 1, {1'000'000});
    const auto partition = search::Slicer(problem).slice(order_of(problem), {.stages = 1'000'000});
    ASSERT_TRUE(partition);
    EXPECT_EQ(partition->stages.size(), 3u);
}

TEST(Slicer, FewestDevicesOfEqualBottlenecks) {
    const auto problem = chain(6, 1, 100, {4});  // every border costs more than all the work
    const auto partition = search::Slicer(problem).slice(order_of(problem), {.stages = 4});
    ASSERT_TRUE(partition);
    EXPECT_EQ(partition->stages.size(), 1u);
}

TEST(Slicer, UsesTheSlowerClassWhenTheFastOneIsUsedUp) {
    const auto problem = chain(9, 10, 0, {1, 3});
    const auto partition = search::Slicer(problem).slice(order_of(problem), {.stages = 4});
    ASSERT_TRUE(partition);
    EXPECT_TRUE(cost::faults_of(problem, *partition, 4).empty());
    EXPECT_EQ(price(problem, *partition).bottleneck, Duration{40});  // 4 on the fast device, 2 + 2 + 1 on the slow ones
}

TEST(Slicer, RefusesTooManyCombinations) {
    const auto problem = chain(2000, 10, 1, {2000, 2000, 2000});
    const auto possible = search::sliceable(problem, 2000);
    ASSERT_FALSE(possible);
    EXPECT_EQ(possible.error().kind, DiagnosticKind::input);
    EXPECT_NE(possible.error().message.find("'class1'"), std::string::npos);
    EXPECT_TRUE(search::sliceable(problem, 8));
    EXPECT_TRUE(search::sliceable(chain(2000, 10, 1, {2000, 3}), 2000));
}

TEST(Slicer, ReplicasOfOneClass) {
    const auto problem = chain(1, 12, 0, {3, 2});  // 12 on the first class, 24 on the second
    const auto bottleneck = [&](std::int64_t stages, std::int64_t replicas) {
        const auto partition = search::Slicer(problem).slice(order_of(problem), {.stages = stages, .max_replicas = replicas});
        EXPECT_TRUE(partition && cost::faults_of(problem, *partition, stages).empty());
        EXPECT_EQ(partition->stages.size(), 1u);
        return price(problem, *partition).bottleneck;
    };
    EXPECT_EQ(bottleneck(5, 1), Duration{12});
    EXPECT_EQ(bottleneck(5, 2), Duration{6});
    EXPECT_EQ(bottleneck(5, 3), Duration{4});
    EXPECT_EQ(bottleneck(5, 5), Duration{4}) << "there are three of the class";
    EXPECT_EQ(bottleneck(2, 5), Duration{6}) << "k counts replicas";
    EXPECT_EQ(bottleneck(5, std::int64_t{1} << 40), Duration{4});
}

TEST(Slicer, ReplicasNearTheLimit) {
    const std::int64_t work = kLargestTotal.count() / 16;
    const auto problem = chain(8, work, work / 4, {1'000'000});
    const auto partition = search::Slicer(problem).slice(order_of(problem), {.stages = 1'000'000, .max_replicas = 1 << 16});
    ASSERT_TRUE(partition);
    EXPECT_EQ(price(problem, *partition).bottleneck, Duration{(work + 2 * (work / 4)) >> 16}) << "an inner node, on all that it may have";
}

TEST(Slicer, ReplicasNeedMoreCombinations) {
    const auto problem = chain(2000, 10, 1, {4000, 4000});
    EXPECT_TRUE(search::sliceable(problem, 8000));
    EXPECT_FALSE(search::sliceable(problem, 8000, 2));
    EXPECT_TRUE(search::sliceable(problem, 8, 8));
}

TEST(Slicer, StopsWhenTold) {
    const auto problem = chain(20'000, 10, 1, {64});
    std::stop_source source;
    source.request_stop();
    const Limits limits{.deadline = {}, .evaluations = {}, .stop = source.get_token()};
    search::Slicer slicer(problem);
    EXPECT_FALSE(slicer.slice(order_of(problem), {.stages = 64, .limits = &limits}));
    const auto rough = slicer.longest_segments(order_of(problem), 64);
    ASSERT_TRUE(rough);
    EXPECT_TRUE(cost::faults_of(problem, *rough, 64).empty());
}

}  // namespace
}  // namespace sluice
