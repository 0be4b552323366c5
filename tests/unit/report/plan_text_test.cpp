#include "sluice/report/plan_text.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace sluice::report {
namespace {

/// x -> a -> b -> c, names of one letter; the second has none.
graph::Graph chain() {
    graph::GraphBuilder builder("tiny\x1b");
    std::vector<TensorId> tensors;
    for (const char* name : {"x", "a_out", "b_out", "c_out"}) {
        graph::Tensor tensor;
        tensor.name = name;
        tensor.shape_known = true;
        tensor.bytes = {4};
        tensor.model_output = std::string_view(name) == "c_out";
        tensors.push_back(builder.add_tensor(tensor));
    }
    for (std::size_t i = 0; i < 3; ++i) {
        graph::Operator op;
        op.name = i == 1 ? "" : std::string(1, static_cast<char>('a' + i));
        op.type = "Relu";
        builder.add_operator(op, std::span(&tensors[i], 1), std::span(&tensors[i + 1], 1));
    }
    return std::move(builder).build().value();
}

plan::Plan two_stages(const graph::Graph& graph) {
    plan::Plan plan;
    plan.model.name = graph.name();
    plan.model.assumptions = {"dimension 'batch' = 1"};
    plan.platform.name = "asic-16";
    plan.platform.classes.resize(1);
    plan.stage_limit = 4;
    plan.cost_source = "analytic";
    plan.method = "auto";
    plan.stages.resize(2);
    plan.stages[0].operators = {{OperatorId(0), "a_out"}, {OperatorId(1), "b_out"}};
    plan.stages[0].predicted = {Duration{1'000'000}, Duration{0}, Duration{500'000}, Duration{0}, {1024}, {8}};
    plan.stages[1].operators = {{OperatorId(2), "c_out"}};
    plan.stages[1].predicted = {Duration{2'000'000}, Duration{1'000'000}, Duration{0}, Duration{0}, {2048}, {8}};
    plan.predicted = {Duration{3'000'000}, Duration{4'500'000}, {2056}};
    plan.bound = plan::BoundClaim{Duration{2'700'000}, "cut", true};
    plan.termination = {StopReason::time, 10.02, 1234};
    plan.limit = "--time 10 s";
    return plan;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// The line that begins, after spaces, with `start`.
std::string line_of(const std::string& text, std::string_view start) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t at = line.find_first_not_of(' ');
        if (at != std::string::npos && std::string_view(line).substr(at).starts_with(start)) return line;
    }
    return {};
}

TEST(PlanText, ShowsStagesAndWhatIsKnown) {
    const graph::Graph graph = chain();
    const std::string text = plan_text(two_stages(graph), graph);
    EXPECT_TRUE(has(text, "tiny? on asic-16: 2 stages of at most 4, inference, serial cost, times analytic")) << text;
    EXPECT_TRUE(has(line_of(text, "0 "), " a ")) << text;
    EXPECT_TRUE(has(line_of(text, "0 "), "b_out")) << text;  // the label of an operator without a name
    EXPECT_TRUE(has(line_of(text, "0 "), "1.500 us")) << text;
    EXPECT_TRUE(has(line_of(text, "0 "), "██████")) << text;
    EXPECT_FALSE(has(line_of(text, "0 "), "███████")) << text;  // half of the slowest
    EXPECT_TRUE(has(line_of(text, "1 "), "████████████")) << text;
    EXPECT_TRUE(has(line_of(text, "bottleneck"), "stage 1")) << text;
    EXPECT_TRUE(has(line_of(text, "throughput"), "333 k inferences/s")) << text;
    EXPECT_TRUE(has(line_of(text, "bound"), "2.700 us (cut, certified)")) << text;
    EXPECT_TRUE(has(line_of(text, "gap"), "10.0%")) << text;
    EXPECT_TRUE(has(line_of(text, "stopped"), "the time was up (--time 10 s); 10.02 s, 1,234 evaluations")) << text;
    EXPECT_TRUE(has(line_of(text, "assumed"), "dimension 'batch' = 1")) << text;
    EXPECT_FALSE(has(text, "spill")) << "a column without content is left out\n" << text;
    EXPECT_FALSE(has(text, "\x1b")) << text;
}

TEST(PlanText, ReplicasDivideTheStageTime) {
    const graph::Graph graph = chain();
    plan::Plan plan = two_stages(graph);
    plan.stages[1].replicas = 3;
    plan.predicted.bottleneck = Duration{1'500'000};
    const std::string text = plan_text(plan, graph);
    EXPECT_TRUE(has(text, "replicas")) << text;
    EXPECT_TRUE(has(line_of(text, "bottleneck"), "stage 0")) << text;
}

TEST(PlanText, OverlapCountsTheLargestPart) {
    const graph::Graph graph = chain();
    plan::Plan plan = two_stages(graph);
    plan.platform.model = platform::StageModel::overlap;
    plan.predicted.bottleneck = Duration{2'000'000};
    const std::string text = plan_text(plan, graph);
    EXPECT_TRUE(has(text, "overlap cost")) << text;
    EXPECT_TRUE(line_of(text, "0 ").ends_with("1.000 us  ██████")) << text;
}

TEST(PlanText, WithoutABoundClaimsNone) {
    const graph::Graph graph = chain();
    plan::Plan plan = two_stages(graph);
    plan.bound.reset();
    const std::string text = plan_text(plan, graph);
    EXPECT_EQ(line_of(text, "bound"), "");
    EXPECT_EQ(line_of(text, "gap"), "");
}

TEST(BoundText, SaysCertifiedOnlyWhenItIs) {
    EXPECT_EQ(bound_text({Duration{1'000'000}, "cut", true}), "1.000 us (cut, certified)");
    EXPECT_EQ(bound_text({Duration{1'000'000}, "solver-claimed", false}), "1.000 us (solver-claimed, not certified)");
}

TEST(WhyStopped, HasWordsForEveryReason) {
    for (StopReason reason :
         {StopReason::finished, StopReason::optimal, StopReason::gap, StopReason::time, StopReason::evaluations, StopReason::interrupted})
        EXPECT_FALSE(why_stopped({reason, 0, 0}, "").empty());
}

}  // namespace
}  // namespace sluice::report
