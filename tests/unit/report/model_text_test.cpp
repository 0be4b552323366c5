#include "sluice/report/model_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::report {
namespace {

/// Three operators of 1, 5 and 5 FLOPs on a chain with growing tensors.
graph::Graph sample() {
    graph::GraphBuilder builder("sample");
    std::vector<TensorId> tensors;
    for (std::int64_t i = 0; i < 4; ++i) {
        graph::Tensor tensor;
        tensor.name = "t" + std::to_string(i);
        tensor.shape = {i, 4};
        tensor.shape_known = i > 0;
        tensor.bytes = {16 * i};
        tensor.model_output = i == 3;
        tensors.push_back(builder.add_tensor(tensor));
    }
    const ParameterId weight = builder.add_parameter({"w", graph::DataType::f32, {16}, {64}});
    for (std::size_t i = 0; i < 3; ++i) {
        graph::Operator op;
        op.name = "op" + std::to_string(i);
        op.type = i == 0 ? "Relu" : "Gemm";
        op.features.operator_class = i == 0 ? graph::OperatorClass::elementwise : graph::OperatorClass::matrix;
        op.features.flops = i == 0 ? 1 : 5;
        builder.add_operator(op, std::span(&tensors[i], 1), std::span(&tensors[i + 1], 1),
                             i == 1 ? std::span(&weight, 1) : std::span<const ParameterId>());
    }
    return std::move(builder).build().value();
}

ModelView view_of(const graph::Graph& graph) {
    ModelView view;
    view.graph = &graph;
    view.format = "onnx";
    view.summary.operators = 3;
    view.summary.flops = 11;
    view.summary.parameters = {64};
    view.summary.longest_path = 3;
    view.summary.widest_level = 1;
    view.summary.per_class[static_cast<std::size_t>(graph::OperatorClass::elementwise)] = 1;
    view.summary.per_class[static_cast<std::size_t>(graph::OperatorClass::matrix)] = 2;
    view.summary.flops_per_class[static_cast<std::size_t>(graph::OperatorClass::matrix)] = 10;
    view.summary.flops_per_class[static_cast<std::size_t>(graph::OperatorClass::elementwise)] = 1;
    view.facts = {{"made by", "pytorch 2.6"}};
    view.warnings = {"a warning"};
    return view;
}

TEST(Heaviest, IsByWorkThenByTimeWithTiesByIndex) {
    const graph::Graph graph = sample();
    ModelView view = view_of(graph);
    EXPECT_EQ(heaviest_operators(view), (std::vector{OperatorId(1), OperatorId(2), OperatorId(0)}));
    view.times = OperatorTimes{"asic-16", {Duration{9}, std::nullopt, Duration{3}}};
    EXPECT_EQ(heaviest_operators(view), (std::vector{OperatorId(0), OperatorId(2)}));
    view.heaviest = 1;
    EXPECT_EQ(heaviest_operators(view), (std::vector{OperatorId(0)}));
}

TEST(Heaviest, TensorsBySizeWithoutEmptyOnes) {
    const graph::Graph graph = sample();
    EXPECT_EQ(heaviest_tensors(view_of(graph)), (std::vector{TensorId(3), TensorId(2), TensorId(1)}));
}

TEST(ModelText, NamesClassesHeaviestAndImport) {
    const graph::Graph graph = sample();
    const std::string text = model_text(view_of(graph));
    for (const char* part : {"sample", "matrix", "elementwise", "op1", "t3", "3x4", "64 B", "pytorch 2.6", "longest path", "90.9%"})
        EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
    EXPECT_EQ(text.find("convolution"), std::string::npos) << "classes without operators are left out\n" << text;
}

TEST(ModelJson, HasNumbersNotWords) {
    const graph::Graph graph = sample();
    ModelView view = view_of(graph);
    view.times = OperatorTimes{"asic-16", {Duration{9}, Duration{4}, Duration{3}}};
    const auto out = model_json(view);
    EXPECT_EQ(out["operators"], 3);
    EXPECT_EQ(out["flops"], 11.0);
    EXPECT_EQ(out["parameter_bytes"], 64);
    EXPECT_EQ(out["longest_path"], 3);
    EXPECT_EQ(out["fingerprint"], graph.fingerprint());
    EXPECT_EQ(out["classes"].size(), 2U);
    EXPECT_EQ(out["classes"][0]["class"], "matrix");
    EXPECT_EQ(out["classes"][0]["time_ps"], 7);
    EXPECT_EQ(out["heaviest_operators"][0]["label"], "op0");
    EXPECT_EQ(out["heaviest_operators"][0]["time_ps"], 9);
    EXPECT_EQ(out["heaviest_tensors"][0]["name"], "t3");
    EXPECT_EQ(out["import"]["made by"], "pytorch 2.6");
    EXPECT_EQ(out["warnings"][0], "a warning");
}

}  // namespace
}  // namespace sluice::report
