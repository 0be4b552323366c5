// Planners of others on problems whose answer is known.
#include <gtest/gtest.h>

#include "sluice/base/json.hpp"
#include "sluice/training/peers/gpipe.hpp"
#include "sluice/training/peers/megatron.hpp"
#include "sluice/training/peers/pipedream.hpp"
#include "sluice/training/peers/piper.hpp"
#include "tests/support/training.hpp"

namespace sluice::training {
namespace {

using test::chain_of;
using test::given_devices;
using test::given_graph;
using test::GivenOperator;

PlannerResult plan(PlannerFunction planner, const cost::TrainingProblem& problem, const PlannerOptions& options = {}) {
    SilentObserver observer;
    auto result = planner(problem, options, observer, {});
    EXPECT_TRUE(result) << to_text(result.error());
    return *std::move(result);
}

Diagnostic refusal(PlannerFunction planner, const cost::TrainingProblem& problem, const PlannerOptions& options = {}) {
    SilentObserver observer;
    const auto result = planner(problem, options, observer, {});
    EXPECT_FALSE(result);
    return result ? Diagnostic{} : result.error();
}

TEST(GPipe, CutsAChainEvenly) {
    // (m + stages - 1) (forward + backward)
    const auto made = plan(plan_by_gpipe, test::training_problem(given_graph(chain_of(8)), given_devices(8), 8), {.micro_batch = 1});
    ASSERT_EQ(made.partition.stages.size(), 8u);
    EXPECT_EQ(made.partition.schedule, cost::Schedule::gpipe);
    EXPECT_EQ(made.iteration.count(), 45);
}

TEST(GPipe, EveryDeviceGetsAnOperatorHoweverUneven) {
    std::vector<GivenOperator> operators = chain_of(6);
    operators[0].forward = 100;
    const auto made = plan(plan_by_gpipe, test::training_problem(given_graph(operators), given_devices(6), 4), {.micro_batch = 1});
    EXPECT_EQ(made.partition.stages.size(), 6u);
}

TEST(GPipe, RecomputesWhereTheMemoryIsShort) {
    // All eight samples of 100 bytes are kept for each operator of two, or once for what enters and one micro-batch of both.
    const auto graph = given_graph(chain_of(4, {.made = Bytes{100}, .parameters = Bytes{4}}));
    const auto roomy = plan(plan_by_gpipe, test::training_problem(graph, given_devices(2, Bytes{2'000}), 8));
    EXPECT_FALSE(roomy.partition.stages[1].recompute);
    const auto tight = plan(plan_by_gpipe, test::training_problem(graph, given_devices(2, Bytes{1'100}), 8));
    EXPECT_TRUE(tight.partition.stages[1].recompute);
    EXPECT_GT(tight.iteration, roomy.iteration);
    const Diagnostic none = refusal(plan_by_gpipe, test::training_problem(graph, given_devices(2, Bytes{900}), 8));
    EXPECT_EQ(none.kind, DiagnosticKind::infeasible);
    EXPECT_NE(none.message.find("no plan of gpipe fits the memory"), std::string::npos) << none.message;
    ASSERT_FALSE(none.notes.empty());
    EXPECT_NE(none.notes.front().find("operator 2"), std::string::npos) << none.notes.front();
    EXPECT_NE(none.help.find("--recompute"), std::string::npos);
}

TEST(Megatron, StagesHaveEquallyManyLayers) {
    // Three operators a layer, the parameters in its second; 8 layers.
    std::vector<GivenOperator> operators = chain_of(24, {.parameters = Bytes{0}});
    for (std::size_t v = 1; v < operators.size(); v += 3) operators[v].parameters = Bytes{100'000};
    const auto problem = test::training_problem(given_graph(operators), given_devices(4), 16);
    const auto made = plan(plan_by_megatron, problem, {.micro_batch = 1, .schedule = cost::Schedule::one_f_one_b});
    EXPECT_EQ(made.partition.stages.size(), 4u) << made.winner;
    for (const cost::TrainingStage& stage : made.partition.stages) {
        std::size_t layers = 0;
        for (const NodeId node : stage.nodes) layers += !problem.structure.weights[node.index()].empty();
        EXPECT_EQ(layers, 2u);
    }
}

TEST(Megatron, InterleavesAndReplicates) {
    // No parameters: data parallelism is free, all devices do the same.
    const auto free = test::training_problem(given_graph(chain_of(8, {.parameters = Bytes{0}})), given_devices(8), 8);
    EXPECT_EQ(plan(plan_by_megatron, free).partition.stages.size(), 1u);
    // Much to exchange: a pipeline, and two stages a device leave less of it empty: 3 (8 + 3 / 2) / 2 of 3 (8 + 3).
    const auto heavy = test::training_problem(given_graph(chain_of(8, {.parameters = Bytes{100'000}})), given_devices(4), 8);
    const auto plain = plan(plan_by_megatron, heavy, {.micro_batch = 1, .schedule = cost::Schedule::one_f_one_b});
    const auto chunks = plan(plan_by_megatron, heavy, {.micro_batch = 1});
    EXPECT_EQ(chunks.partition.schedule, cost::Schedule::interleaved);
    EXPECT_EQ(chunks.partition.stages.size(), 8u);
    EXPECT_EQ(chunks.partition.stages[4].first_device, chunks.partition.stages[0].first_device);
    EXPECT_EQ((plain.iteration - chunks.iteration).count(), 6 * 11 - 3 * (2 * 8 + 3));
    EXPECT_EQ(refusal(plan_by_megatron, heavy, {.schedule = cost::Schedule::gpipe}).kind, DiagnosticKind::usage);
    EXPECT_EQ(refusal(plan_by_megatron, heavy, {.micro_batch = 3}).kind, DiagnosticKind::usage);
}

TEST(PipeDream, ReplicatesWhatIsLongAndHasFewParameters) {
    // A convolution with few parameters, then a layer with many: three devices for the one, one for the other.
    const std::vector<GivenOperator> operators{{.forward = 3'000'000, .backward = 6'000'000, .made = Bytes{1}, .parameters = Bytes{4}},
                                               {.forward = 1'000'000, .backward = 2'000'000, .reads = {0}, .parameters = Bytes{100'000}}};
    const auto made = plan(plan_by_pipedream, test::training_problem(given_graph(operators), given_devices(4), 48));
    ASSERT_EQ(made.partition.stages.size(), 2u);
    EXPECT_EQ(made.partition.stages[0].replicas, 3);
    EXPECT_EQ(made.partition.stages[1].replicas, 1);
}

TEST(PipeDream, BranchesRunBesideEachOtherUnlessHeldToAChain) {
    // Two branches of four equal operators, a stage each: (micro-batches + depth - 1) (forward + backward).
    std::vector<GivenOperator> operators = chain_of(8, {.forward = 1000, .backward = 2000});
    operators[4].reads = {};
    const auto problem = test::training_problem(given_graph(operators), given_devices(8), 8);
    const auto free = plan(plan_by_pipedream, problem, {.micro_batch = 1});
    const auto held = plan(plan_by_pipedream, problem, {.micro_batch = 1, .schedule = cost::Schedule::chain});
    EXPECT_EQ(free.iteration, Duration{(8 + 3) * 3000});
    EXPECT_EQ(held.iteration, Duration{(8 + 7) * 3000});
    ASSERT_EQ(held.partition.stages.size(), 8u);
    for (std::size_t s = 0; s < 8; ++s) {
        EXPECT_EQ(free.partition.stages[s].in_flight, 4 - static_cast<std::int64_t>(s % 4));
        EXPECT_EQ(held.partition.stages[s].in_flight, 8 - static_cast<std::int64_t>(s));
    }
}

TEST(PipeDream, FitsTheMemoryWhereItCan) {
    // Alone on a device each operator fits, two do not.
    const auto graph = given_graph(chain_of(4, {.made = Bytes{1}, .parameters = Bytes{500}}));
    for (const PlannerFunction planner : {plan_by_pipedream, plan_by_piper})
        EXPECT_EQ(plan(planner, test::training_problem(graph, given_devices(4, Bytes{1'100}), 4)).partition.stages.size(), 4u);
}

Result<PiperInstance> instance(std::string_view nodes, std::string_view edges, std::string_view top = "") {
    const auto document = json::parse(std::format(R"({{"maxDevices": 4, "maxMemoryPerDevice": 100, "bandwidth": 10{}, "nodes": [{}],
                        "edges": [{}]}})",
                                                  top, nodes, edges),
                                      "p.json");
    return read_piper_instance(document.value());
}

constexpr std::string_view kTwo =
    R"({"id": 7, "TMPCs": {"1": [{"timePerSample": 1, "parameterSize": 2, "memoryUsageA": 3, "memoryUsageB": 4, "syncTimeBw": {"5": 0}}]}},
       {"id": 5, "TMPCs": {"1": [{"timePerSample": 2, "parameterSize": 2, "memoryUsageA": 3, "memoryUsageB": 4},
                                 {"timePerSample": 3, "parameterSize": 2, "memoryUsageA": 1, "memoryUsageB": 5}],
                           "2": [{"timePerSample": 1, "parameterSize": 1, "memoryUsageA": 3, "memoryUsageB": 4, "syncTimeFw": {"7": 6.0}}]}})";
constexpr std::string_view kEdge = R"({"sourceId": 7, "destId": 5, "communicationCost": 20})";

TEST(PiperInstance, ReadsEveryConfiguration) {
    const auto read = instance(kTwo, kEdge, R"(, "mbsInBatch": 12)");
    ASSERT_TRUE(read) << to_text(read.error());
    EXPECT_EQ(read->devices, 4);
    EXPECT_EQ(read->memory, Bytes{100});
    EXPECT_EQ(read->micro_batches, 12);
    EXPECT_EQ(read->degrees, (std::vector<std::int64_t>{1, 2}));
    ASSERT_EQ(read->choices.size(), 2u);
    EXPECT_EQ(read->choices[0][0].size(), 1u);
    EXPECT_TRUE(read->choices[0][1].empty());
    ASSERT_EQ(read->choices[1][0].size(), 2u);
    EXPECT_EQ(read->choices[1][0][1], (PiperChoice{Duration{3'000'000'000'000}, {2}, {1}, {5}}));
    ASSERT_EQ(read->tensors.size(), 1u);
    EXPECT_EQ(read->tensors[0].bytes, Bytes{40}) << "both directions";
    EXPECT_EQ(read->tensors[0].sync_in[1], Bytes{12});
    EXPECT_EQ(read->tensors[0].sync_out[1], Bytes{0});
}

TEST(PiperInstance, ComplaintsNameTheirLine) {
    const auto fault = [](const Result<PiperInstance>& read) {
        return read ? "read without complaint" : std::format("{}: {}", read.error().where.line, read.error().message);
    };
    EXPECT_EQ(fault(instance(kTwo, R"({"sourceId": 7, "destId": 6, "communicationCost": 1})")), "5: there is no node 6");
    EXPECT_EQ(fault(instance(std::format("{0}, {0}", kTwo), "")).substr(0, 24), "4: node 7 is there twice");
    EXPECT_EQ(fault(instance("", "")), "1: there are no nodes");
    EXPECT_EQ(fault(instance(kTwo, std::format(R"({}, {{"sourceId": 5, "destId": 7, "communicationCost": 1}})", kEdge))),
              "1: the graph has a cycle");
    EXPECT_EQ(fault(instance(R"({"id": 1, "TMPCs": {"x": []}})", "")), "1: 'x' is no degree of tensor parallelism");
}

}  // namespace
}  // namespace sluice::training
