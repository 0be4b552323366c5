// A partition's price and its faults, each worked out by hand on a problem of a few nodes.
#include "sluice/cost/partition.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace sluice::cost {
namespace {

/// 0 -> {1, 2} by one tensor (5 ps), 1 -> 3 (7 ps), 2 -> 3 (11 ps); work 10, 20, 30, 40; 100 B of weight in node 1, 50 B in nodes 2 and 3.
StageProblem diamond() {
    StageProblem problem;
    DeviceCosts device;
    device.name = "chip";
    device.count = 4;
    device.work = {Duration{10}, Duration{20}, Duration{30}, Duration{40}};
    device.supported = graph::NodeSet(4);
    for (std::size_t v = 0; v < 4; ++v) device.supported.insert(v);
    problem.classes = {device};
    problem.inputs = Rows<EdgeId>({{}, {EdgeId(0)}, {EdgeId(0)}, {EdgeId(1), EdgeId(2)}});
    problem.outputs = Rows<EdgeId>({{EdgeId(0)}, {EdgeId(1)}, {EdgeId(2)}, {}});
    problem.weights = Rows<WeightId>({{}, {WeightId(0)}, {WeightId(1)}, {WeightId(1)}});
    problem.predecessors = Rows<NodeId>({{}, {NodeId(0)}, {NodeId(0)}, {NodeId(1), NodeId(2)}});
    problem.successors = Rows<NodeId>({{NodeId(1), NodeId(2)}, {NodeId(3)}, {NodeId(3)}, {}});
    problem.scratch.resize(4);
    problem.producer = {NodeId(0), NodeId(1), NodeId(2)};
    problem.consumers = Rows<NodeId>({{NodeId(1), NodeId(2)}, {NodeId(3)}, {NodeId(3)}});
    problem.transfer = {Duration{5}, Duration{7}, Duration{11}};
    problem.bytes = {{1}, {2}, {4}};
    problem.to_host = {0, 0, 0};
    problem.weight_bytes = {{100}, {50}};
    problem.weight_users = Rows<NodeId>({{NodeId(1)}, {NodeId(2), NodeId(3)}});
    return problem;
}

Stage stage(std::initializer_list<std::size_t> nodes, std::int64_t replicas = 1) {
    Stage made;
    for (std::size_t node : nodes) made.nodes.emplace_back(node);
    made.replicas = replicas;
    return made;
}

std::vector<std::string> messages(const StageProblem& problem, const Partition& partition, std::int64_t stages) {
    std::vector<std::string> texts;
    for (const Diagnostic& diagnostic : faults_of(problem, partition, stages)) {
        EXPECT_EQ(diagnostic.kind, DiagnosticKind::verification);
        texts.push_back(diagnostic.message);
    }
    return texts;
}

using Texts = std::vector<std::string>;

TEST(Price, SerialAndOverlap) {
    StageProblem problem = diamond();
    const Partition partition{{stage({0, 1}), stage({2}), stage({3})}};
    PartitionCost cost = price(problem, partition);
    ASSERT_EQ(cost.stages.size(), 3U);
    EXPECT_EQ(cost.stages[0], (StageTerms{Duration{30}, Duration{0}, Duration{5 + 7}, Duration{0}, {100}, {1 + 2}}));
    EXPECT_EQ(cost.stages[1], (StageTerms{Duration{30}, Duration{5}, Duration{11}, Duration{0}, {50}, {1 + 4}}));
    EXPECT_EQ(cost.stages[2], (StageTerms{Duration{40}, Duration{7 + 11}, Duration{0}, Duration{0}, {50}, {2 + 4}}));
    EXPECT_EQ(cost.bottleneck, Duration{58});
    EXPECT_EQ(cost.latency, Duration{42 + 46 + 58});
    EXPECT_EQ(cost.peak_memory, Bytes{103});
    problem.model = StageModel::overlap;
    problem.transfer[2] = Duration{100};
    cost = price(problem, partition);
    EXPECT_EQ(cost.bottleneck, Duration{107});
    EXPECT_EQ(cost.latency, Duration{30 + 100 + 107});
}

/// Stages that do not wait for each other do not add up.
TEST(Price, LatencyIsTheLongestPath) {
    const PartitionCost cost = price(diamond(), {{stage({0}), stage({1}), stage({2}), stage({3})}});
    EXPECT_EQ(cost.latency, Duration{(10 + 5) + (5 + 30 + 11) + (18 + 40)});
}

TEST(Price, ReplicasDivideTheBottleneckAndNothingElse) {
    const Partition partition{{stage({0, 1, 2}), stage({3}, 3)}};
    const PartitionCost cost = price(diamond(), partition);
    EXPECT_EQ(cost.bottleneck, Duration{60 + 18});
    EXPECT_EQ(cost.latency, Duration{78 + 58});
    EXPECT_EQ(price(diamond(), {{stage({0, 1, 2, 3}, 3)}}).bottleneck, Duration{34});  // 100 / 3 rounded up
    EXPECT_EQ(cost.stages[1].parameters, Bytes{50});
}

TEST(Faults, NoneInAValidPartition) {
    EXPECT_EQ(messages(diamond(), {{stage({0, 1}), stage({2, 3})}}, 2), Texts{});
    EXPECT_EQ(messages(diamond(), {{stage({0}), stage({2}), stage({1}), stage({3})}}, 4), Texts{});
}

TEST(Faults, Nodes) {
    EXPECT_EQ(messages(diamond(), {{stage({0, 1}), stage({2})}}, 4), Texts{"1 of 4 nodes are in no stage"});
    EXPECT_EQ(messages(diamond(), {}, 4), Texts{"4 of 4 nodes are in no stage"});
    EXPECT_EQ(messages(diamond(), {{stage({0, 1}), stage({1, 2, 3})}}, 4), Texts{"node 1 is in stages 0 and 1"});
    EXPECT_EQ(messages(diamond(), {{stage({0, 1, 1}), stage({2, 3})}}, 4), Texts{"node 1 is twice in stage 0"});
    EXPECT_EQ(messages(diamond(), {{stage({0, 1, 4}), stage({2, 3})}}, 4), Texts{"stage 0 holds node 4; the problem has 4"});
    EXPECT_EQ(messages(diamond(), {{stage({0, 1}), stage({}), stage({2, 3})}}, 4), Texts{"stage 1 is empty"});
    Partition invalid{{stage({0, 1, 2, 3})}};
    invalid.stages[0].nodes.emplace_back();
    EXPECT_EQ(messages(diamond(), invalid, 4), Texts{"stage 0 holds an operator that is no part of the problem"});
}

TEST(Faults, Order) {
    EXPECT_EQ(messages(diamond(), {{stage({1, 0}), stage({2, 3})}}, 4), Texts{"stage 0 runs node 1 before node 0, which it reads"});
    EXPECT_EQ(messages(diamond(), {{stage({2, 3}), stage({0, 1})}}, 4), Texts{"stage 0 comes before stage 1, which feeds it"});
}

TEST(Faults, ACycleIsNamedStageByStage) {
    const auto faults = faults_of(diamond(), {{stage({0, 3}), stage({1, 2})}}, 4);
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].message, "the stage graph has a cycle: stage 0 -> 1 -> 0");
    EXPECT_EQ(faults[0].notes, (Texts{"node 0 of stage 0 feeds node 1 of stage 1", "node 1 of stage 1 feeds node 3 of stage 0"}));
}

TEST(Faults, Devices) {
    EXPECT_EQ(messages(diamond(), {{stage({0, 1}), stage({2, 3})}}, 1), Texts{"2 stages on 2 devices; at most 1 are allowed"});
    EXPECT_EQ(messages(diamond(), {{stage({0, 1}, 3), stage({2, 3}, 2)}}, 8), Texts{"5 devices of class 'chip' are used; there are 4"});
    EXPECT_EQ(messages(diamond(), {{stage({0, 1}, 0), stage({2, 3})}}, 4), Texts{"stage 0 has 0 replicas; it needs at least 1"});
    Partition partition{{stage({0, 1, 2, 3})}};
    partition.stages[0].device = ClassId(1);
    EXPECT_EQ(messages(diamond(), partition, 4), Texts{"stage 0 is on device class 1; the platform has 1"});
    partition.stages[0] = stage({0, 1, 2, 3}, std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(messages(diamond(), partition, 4).size(), 2U);
    partition.stages = {stage({0, 1}, std::numeric_limits<std::int64_t>::max()), stage({2, 3}, std::numeric_limits<std::int64_t>::max())};
    EXPECT_EQ(messages(diamond(), partition, 4).size(), 2U);
    StageProblem problem = diamond();
    problem.classes[0].supported.erase(2);
    EXPECT_EQ(messages(problem, {{stage({0, 1}), stage({2, 3})}}, 4),
              Texts{"stage 1 cannot run on a 'chip': 1 of its 2 nodes are not supported there"});
}

TEST(Faults, HardMemoryCountsParametersAndPeak) {
    StageProblem problem = diamond();
    problem.classes[0].overflow = Overflow::hard;
    const Partition partition{{stage({0, 1}), stage({2, 3})}};
    problem.classes[0].fast_memory = {103};
    EXPECT_EQ(messages(problem, partition, 4), Texts{});
    problem.classes[0].fast_memory = {102};
    const auto faults = faults_of(problem, partition, 4);
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].message, "stage 0 needs 103 B, a 'chip' has 102 B");
    EXPECT_EQ(faults[0].notes, (Texts{"parameters 100 B, activations alive at once 3 B", "100 B of the parameters are those of node 1"}));
    problem.classes[0].overflow = Overflow::spill;  // soft: slower, not wrong
    problem.classes[0].spill_rate = {1'000'000'000'000};
    EXPECT_EQ(messages(problem, partition, 4), Texts{});
}

TEST(Faults, SeveralAreAllNamed) {
    EXPECT_EQ(messages(diamond(), {{stage({0, 3}), stage({1}), stage({})}}, 1).size(), 4U);  // missing, too many, empty, cycle
}

TEST(Normalise, SortsAndDropsEmptyStages) {
    Partition partition{{stage({3}), stage({}), stage({2, 0}, 2), stage({1})}};
    const auto sorted = normalise(diamond(), partition);
    ASSERT_TRUE(sorted.has_value());
    EXPECT_EQ(*sorted, (Partition{{stage({0, 2}, 2), stage({1}), stage({3})}}));
    EXPECT_TRUE(faults_of(diamond(), *sorted, 4).empty());
}

TEST(Normalise, FailsWithTheCycle) {
    const auto cyclic = normalise(diamond(), {{stage({0, 3}), stage({1, 2})}});
    ASSERT_FALSE(cyclic.has_value());
    EXPECT_EQ(cyclic.error().message, "the stage graph has a cycle: stage 0 -> 1 -> 0");
    EXPECT_FALSE(normalise(diamond(), {{stage({0, 0})}}).has_value());
    EXPECT_FALSE(normalise(diamond(), {{stage({7})}}).has_value());
}

}  // namespace
}  // namespace sluice::cost
