#include "sluice/mcm/chip_faults.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

#include "tests/support/chips.hpp"

namespace sluice::mcm {
namespace {

struct Edge {
    std::size_t from, to;
};

/// Operators in the order of their numbers; each edge a tensor of its own. Weights: bytes, users.
cost::StageProblem graph_of(std::size_t nodes, std::initializer_list<Edge> edges,
                            std::initializer_list<std::pair<std::int64_t, std::vector<std::size_t>>> weights = {}) {
    graph::GraphBuilder builder("hand");
    graph::GivenCosts given;
    given.classes.resize(1);
    given.classes[0].name = "chip";
    given.classes[0].count = 1;
    std::vector<std::vector<TensorId>> inputs(nodes), outputs(nodes);
    std::vector<std::vector<ParameterId>> parameters(nodes);
    for (const auto& [from, to] : edges) {
        graph::Tensor tensor;
        tensor.name = std::format("{}-{}", from, to);
        given.transfer.push_back(Duration{1});
        outputs[from].push_back(builder.add_tensor(std::move(tensor)));
        inputs[to].push_back(outputs[from].back());
    }
    for (const auto& [bytes, users] : weights) {
        graph::Parameter parameter;
        parameter.name = std::format("w{}", bytes);
        parameter.bytes.count = bytes;
        const ParameterId weight = builder.add_parameter(std::move(parameter));
        for (const std::size_t user : users) parameters[user].push_back(weight);
    }
    for (std::size_t v = 0; v < nodes; ++v) {
        graph::Operator op;
        op.name = std::format("op{}", v);
        op.type = "Hand";
        builder.add_operator(std::move(op), inputs[v], outputs[v], parameters[v]);
        given.classes[0].time.emplace_back(Duration{1});
    }
    builder.set_given_costs(std::move(given));
    const graph::Graph graph = test::detail::must(std::move(builder).build());
    return test::detail::must(cost::freeze(graph, platform::given_platform(graph))).problem;
}

std::vector<std::string> faults(const ChipProblem& problem, const Assignment& chips) {
    std::vector<std::string> messages;
    for (const Diagnostic& fault : chip_faults(problem, chips)) messages.push_back(fault.message);
    return messages;
}
using Messages = std::vector<std::string>;

TEST(ChipFaults, DataMovesForward) {
    const auto costs = graph_of(2, {{0, 1}});
    auto problem = test::on_chips(costs, 2);
    EXPECT_EQ(faults(problem, {0, 1}), Messages{});
    EXPECT_EQ(faults(problem, {1, 0}), Messages{"'op1' on chip 0 reads from 'op0' on chip 1: data only moves forward"});
    problem.rules.acyclic = false;
    EXPECT_EQ(faults(problem, {1, 0}), Messages{});
}

TEST(ChipFaults, NoChipIsSkipped) {
    const auto costs = graph_of(2, {});
    auto problem = test::on_chips(costs, 4);
    EXPECT_EQ(faults(problem, {1, 0}), Messages{});
    EXPECT_EQ(faults(problem, {0, 2}), Messages{"chip 1 has no operator, but 'op1' is on chip 2"});
    EXPECT_EQ(faults(problem, {1, 1}), Messages{"chip 0 has no operator, but 'op0' is on chip 1"});
    problem.rules.no_skip = false;
    EXPECT_EQ(faults(problem, {0, 3}), Messages{});
}

TEST(ChipFaults, NoTransferBesideALongerWay) {
    const auto costs = graph_of(4, {{0, 1}, {1, 2}, {0, 2}, {0, 3}});
    auto problem = test::on_chips(costs, 4);
    EXPECT_EQ(faults(problem, {0, 1, 2, 0}),
              Messages{"'op2' on chip 2 reads from 'op0' on chip 0, and there is a longer way between these chips: "
                       "'op1' on chip 1 reads from 'op0' on chip 0"});
    EXPECT_EQ(faults(problem, {0, 1, 1, 2}), Messages{});  // over a chip, but on no way to it
    problem.rules.adjacent = true;
    EXPECT_EQ(faults(problem, {0, 1, 1, 2}), Messages{"'op3' on chip 2 reads from 'op0' on chip 0, which is not the one before"});
    problem.rules = {.triangle = false};
    EXPECT_EQ(faults(problem, {0, 1, 2, 0}), Messages{});
}

TEST(ChipFaults, ChipsInACircleAreALongerWayToo) {
    const auto costs = graph_of(3, {{0, 1}, {1, 2}});
    EXPECT_EQ(faults(test::on_chips(costs, 2, {.acyclic = false}), {0, 1, 0}).size(), 2u);
}

TEST(ChipFaults, AWeightCountsOnceAChip) {
    const auto costs = graph_of(3, {}, {{10, {0, 1}}, {5, {2}}});
    auto problem = test::on_chips(costs, 2);
    problem.sram = Bytes{10};
    EXPECT_EQ(faults(problem, {0, 0, 1}), Messages{});
    EXPECT_EQ(faults(problem, {0, 1, 1}), Messages{"chip 1 needs 15 B of parameters, its SRAM has 10 B"});
    EXPECT_EQ(chip_faults(problem, Assignment{0, 1, 1}).front().notes, Messages{"10 B of 'op1'"});
    problem.rules.memory = false;
    EXPECT_EQ(faults(problem, {0, 1, 1}), Messages{});
}

TEST(ChipFaults, WhatFailedToCompile) {
    const auto costs = graph_of(3, {});
    auto problem = test::on_chips(costs, 2);
    problem.nogoods = {{NodeId(0), NodeId(2)}};
    EXPECT_EQ(faults(problem, {1, 0, 1}), Messages{"chip 1 holds the 2 operators from 'op0' to 'op2', which failed to compile together"});
    EXPECT_EQ(faults(problem, {0, 0, 1}), Messages{});
}

TEST(ChipFaults, WhatIsNoAssignment) {
    const auto costs = graph_of(2, {});
    const auto problem = test::on_chips(costs, 2);
    EXPECT_EQ(faults(problem, {0}), Messages{"1 operators are assigned, the problem has 2"});
    EXPECT_EQ(faults(problem, {0, 2}), Messages{"'op1' is on chip 2 of 2"});
}

}  // namespace
}  // namespace sluice::mcm
