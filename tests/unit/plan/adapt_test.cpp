#include "sluice/plan/adapt.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/plan/sample.hpp"

namespace sluice::plan {
namespace {

struct Step {
    std::string output;
    std::vector<std::string> inputs;
};

/// One operator a step, 100 ps each, transfers of 1 ps.
graph::Graph model(const std::vector<Step>& steps) {
    graph::GraphBuilder builder("steps");
    graph::GivenCosts costs;
    costs.classes.push_back({.name = "fast", .count = 4, .memory = {}, .time = {}});
    std::vector<std::pair<std::string, TensorId>> made;
    for (const Step& step : steps) made.emplace_back(step.output, builder.add_tensor(sample::tensor(step.output, 1)));
    for (const Step& step : steps) {
        std::vector<TensorId> inputs;
        for (const std::string& name : step.inputs)
            inputs.push_back(std::ranges::find(made, name, &std::pair<std::string, TensorId>::first)->second);
        graph::Operator op;
        op.type = "Op";
        builder.add_operator(op, inputs,
                             std::array{std::ranges::find(made, step.output, &std::pair<std::string, TensorId>::first)->second});
        costs.classes[0].time.emplace_back(Duration{100});
    }
    costs.transfer.assign(steps.size(), Duration{1});
    builder.set_given_costs(std::move(costs));
    return std::move(builder).build().value();
}

const std::vector<Step> kChain{{"a", {}}, {"b", {"a"}}, {"c", {"b"}}, {"d", {"c"}}};

/// Stages by first outputs.
using Names = std::vector<std::vector<std::string>>;

Plan planned(const graph::Graph& graph, const Names& stages) {
    const platform::Platform platform = platform::given_platform(graph);
    const auto frozen = cost::freeze(graph, platform, 4).value();
    cost::Partition partition;
    for (const auto& names : stages) {
        auto& stage = partition.stages.emplace_back();
        for (const std::string& name : names)
            for (std::size_t v = 0; v < graph.operator_count(); ++v)
                if (graph.first_output_name(OperatorId(v)) == name) stage.nodes.push_back(frozen.problem.node_of[v]);
    }
    return make_plan(graph, platform, frozen, partition, 4);
}

struct Got {
    Adapted adapted;
    Names stages;
};

Got adapted(const Plan& plan, const graph::Graph& graph, std::int64_t stages = 4) {
    const auto frozen = cost::freeze(graph, platform::given_platform(graph), stages).value();
    Got result{adapt(plan, graph, frozen.problem, {.stages = stages}), {}};
    EXPECT_TRUE(result.adapted.faults.empty());
    for (const cost::Stage& stage : result.adapted.partition.stages) {
        auto& names = result.stages.emplace_back();
        for (const NodeId node : stage.nodes)
            for (const OperatorId id : frozen.problem.operators[node.index()]) names.emplace_back(graph.first_output_name(id));
    }
    return result;
}

TEST(Adapt, TheSameModelKeepsItsPlan) {
    const graph::Graph graph = model(kChain);
    const auto [result, stages] = adapted(planned(graph, {{"a"}, {"b", "c"}, {"d"}}), graph);
    EXPECT_EQ(stages, (Names{{"a"}, {"b", "c"}, {"d"}}));
    EXPECT_EQ(result.matched, 4u);
    EXPECT_EQ(result.moved + result.added + result.gone, 0u);
}

TEST(Adapt, AnInsertedOperatorJoinsWhatFeedsIt) {
    const Plan plan = planned(model(kChain), {{"a", "b"}, {"c", "d"}});
    const auto [result, stages] = adapted(plan, model({{"a", {}}, {"b", {"a"}}, {"new", {"b"}}, {"c", {"new"}}, {"d", {"c"}}}));
    EXPECT_EQ(stages, (Names{{"a", "b", "new"}, {"c", "d"}}));
    EXPECT_EQ(result.matched, 4u);
    EXPECT_EQ(result.added, 1u);
    EXPECT_EQ(result.moved + result.gone, 0u);
}

TEST(Adapt, AnInsertedSourceJoinsWhatItFeeds) {
    const Plan plan = planned(model(kChain), {{"a", "b"}, {"c", "d"}});
    const auto [result, stages] =
        adapted(plan, model({{"n1", {}}, {"n2", {"n1"}}, {"a", {}}, {"b", {"a"}}, {"c", {"b"}}, {"d", {"c", "n2"}}}));
    EXPECT_EQ(stages, (Names{{"a", "b"}, {"n1", "n2", "c", "d"}}));
    EXPECT_EQ(result.added, 2u);
}

TEST(Adapt, ADeletedStageIsLeftOut) {
    const Plan plan = planned(model(kChain), {{"a"}, {"b"}, {"c", "d"}});
    const auto [result, stages] = adapted(plan, model({{"a", {}}, {"c", {"a"}}, {"d", {"c"}}}));
    EXPECT_EQ(stages, (Names{{"a"}, {"c", "d"}}));
    EXPECT_EQ(result.gone, 1u);
}

TEST(Adapt, ARenamedOperatorIsFoundByItsPlace) {
    const Plan plan = planned(model(kChain), {{"a", "b"}, {"c", "d"}});
    const auto [result, stages] = adapted(plan, model({{"a", {}}, {"b", {"a"}}, {"renamed", {"b"}}, {"d", {"renamed"}}}));
    EXPECT_EQ(stages, (Names{{"a", "b"}, {"renamed", "d"}}));
    EXPECT_EQ(result.matched, 4u);
    EXPECT_EQ(result.added + result.gone, 0u);
}

TEST(Adapt, EdgesThatLeadBackAreRepaired) {
    const Plan plan = planned(model(kChain), {{"a"}, {"b"}, {"c"}, {"d"}});
    // b now reads d: either b follows d, or c and d come before it
    const auto [result, stages] = adapted(plan, model({{"a", {}}, {"c", {"a"}}, {"d", {"c"}}, {"b", {"d"}}}));
    EXPECT_EQ(result.matched, 4u);
    EXPECT_GE(result.moved, 1u);
    EXPECT_EQ(stages, (Names{{"a"}, {"c"}, {"d", "b"}}));  // 200 ps; the other way would be 300
}

TEST(Adapt, StagesBeyondKAreJoinedWhereItCostsLeast) {
    const graph::Graph graph = model({{"a", {}}, {"b", {"a"}}, {"c", {"b"}}, {"d", {"c"}}, {"e", {"d"}}});
    const Plan plan = planned(graph, {{"a", "b"}, {"c"}, {"d"}, {"e"}});
    EXPECT_EQ(adapted(plan, graph, 3).stages, (Names{{"a", "b"}, {"c"}, {"d", "e"}}));
    EXPECT_EQ(adapted(plan, graph, 1).stages, (Names{{"a", "b", "c", "d", "e"}}));
    EXPECT_EQ(adapted(plan, graph, 2).adapted.partition.stages.size(), 2u);
}

TEST(Adapt, ReplicasAreKeptWhileThereAreDevices) {
    const graph::Graph graph = model(kChain);
    Plan plan = planned(graph, {{"a"}, {"b", "c", "d"}});
    plan.stages[1].replicas = 3;
    const auto frozen = cost::freeze(graph, platform::given_platform(graph), 4).value();
    const auto replicas = [&](const AdaptOptions& options) {
        const Adapted result = adapt(plan, graph, frozen.problem, options);
        EXPECT_TRUE(result.faults.empty());
        std::vector<std::int64_t> list;
        for (const cost::Stage& stage : result.partition.stages) list.push_back(stage.replicas);
        return list;
    };
    EXPECT_EQ(replicas({.stages = 4, .max_replicas = 4}), (std::vector<std::int64_t>{1, 3}));
    EXPECT_EQ(replicas({.stages = 3, .max_replicas = 4}), (std::vector<std::int64_t>{3}));  // 134 ps; {1, 2} would take 151
    EXPECT_EQ(replicas({.stages = 4, .max_replicas = 1}), (std::vector<std::int64_t>{1, 1}));
}

/// What cannot be mended is named.
TEST(Adapt, FaultsAreNamed) {
    const graph::Graph graph = sample::model();
    const platform::Platform roomy = sample::machine();
    const Plan plan = sample::plan(graph, roomy);
    platform::Platform tight = sample::machine({.overflow = platform::Overflow::hard});
    tight.classes[0].fast_memory = {100};
    const auto frozen = cost::freeze(graph, tight, sample::kStages).value();
    const Adapted result = adapt(plan, graph, frozen.problem, {.stages = sample::kStages});
    EXPECT_FALSE(result.faults.empty());
    EXPECT_EQ(result.matched, 8u);
}

}  // namespace
}  // namespace sluice::plan
