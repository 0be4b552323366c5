#include <gtest/gtest.h>

#include "node_builder.hpp"
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::test {
namespace {

using graph::OperatorClass;
namespace costs = sluice::onnx::features;

TEST(Elementwise, AdditionKeepsNothingMultiplicationItsOperands) {
    const auto add = NodeBuilder("Add").input({8, 16}).input({8, 16}).output({8, 16}).features();
    EXPECT_EQ(add.operator_class, OperatorClass::elementwise);
    EXPECT_EQ(add.flops, 128);
    EXPECT_EQ(add.read.count, 2 * 512);
    EXPECT_EQ(add.written.count, 512);
    EXPECT_EQ(add.input_gradient_flops, 0);
    EXPECT_EQ(add.kept_for_backward.count, 0);
    const auto multiply = NodeBuilder("Mul").input({8, 16}).input({8, 16}).output({8, 16}).features();
    EXPECT_EQ(multiply.input_gradient_flops, 2 * 128);
    EXPECT_EQ(multiply.kept_for_backward.count, 2 * 512);
}

TEST(Elementwise, ABroadcastBiasSumsItsGradient) {
    const auto features = NodeBuilder("Add").input({8, 16}).parameter({16}).output({8, 16}).features();
    EXPECT_EQ(features.weight_gradient_flops, 128);
    EXPECT_EQ(features.parameters_read.count, 64);
    EXPECT_EQ(features.read.count, 512);
}

TEST(Elementwise, AScalarParameterIsAConstant) {
    const auto scaled = NodeBuilder("Mul").input({8, 16}).parameter({}).output({8, 16}).features();
    EXPECT_EQ(scaled.weight_gradient_flops, 0);
    EXPECT_EQ(scaled.input_gradient_flops, 128);
    EXPECT_EQ(scaled.kept_for_backward.count, 0) << "a constant factor needs no gradient, so the input need not be kept";
    const auto divided = NodeBuilder("Div").input({8, 16}).parameter({}).output({8, 16}).features();
    EXPECT_EQ(divided.kept_for_backward.count, 0);
}

TEST(Elementwise, ADivisorIsKeptForBothGradients) {
    const auto features = NodeBuilder("Div").parameter({}).input({8, 16}).output({8, 16}).features();
    EXPECT_EQ(features.kept_for_backward.count, 512) << "1 / x needs x";
}

TEST(Elementwise, AnyNumberOfOperands) {
    EXPECT_EQ(NodeBuilder("Sum").input({10}).input({10}).input({10}).output({10}).features().flops, 20);
    EXPECT_EQ(NodeBuilder("Max").input({10}).input({10}).output({10}).features().flops, 10);
    EXPECT_EQ(NodeBuilder("Mean").input({10}).input({10}).output({10}).features().flops, 20);
    EXPECT_EQ(NodeBuilder("Sum").input({10}).output({10}).features().flops, 0);
}

TEST(Elementwise, ActivationsKeepTheirOutputOrTheirInput) {
    const auto kept = [](const char* type) { return NodeBuilder(type).input({100}).output({100}).features().kept_for_backward.count; };
    for (const char* type : {"Relu", "Sigmoid", "Tanh", "Exp", "Sqrt", "Gelu", "Erf", "Log", "Clip"}) EXPECT_EQ(kept(type), 400) << type;
    EXPECT_EQ(kept("Dropout"), 100) << "one byte a mask element";
    for (const char* type : {"Neg", "Cast"}) EXPECT_EQ(kept(type), 0) << type;
}

TEST(Elementwise, TranscendentalsCostMoreThanAdditions) {
    const auto flops = [](const char* type) { return NodeBuilder(type).input({100}).output({100}).features().flops; };
    EXPECT_EQ(flops("Relu"), 100);
    EXPECT_EQ(flops("Exp"), 100 * costs::kExp);
    EXPECT_EQ(flops("Sigmoid"), 100 * (costs::kExp + 1 + costs::kDivide));
    for (const char* type : {"Exp", "Log", "Erf", "Tanh", "Sigmoid", "Gelu", "Softplus", "Mish", "Sin"})
        EXPECT_GT(flops(type), 5 * flops("Relu")) << type;
}

TEST(Elementwise, IntegersAndComparisonsHaveNoBackward) {
    const auto integer = NodeBuilder("Mul").input({10}, DataType::i64).input({10}, DataType::i64).output({10}, DataType::i64).features();
    EXPECT_EQ(integer.compute_type, DataType::i64);
    EXPECT_EQ(integer.input_gradient_flops, 0);
    EXPECT_EQ(integer.kept_for_backward.count, 0);
    const auto less = NodeBuilder("Less").input({10}).input({10}).output({10}, DataType::boolean).features();
    EXPECT_EQ(less.flops, 10);
    EXPECT_EQ(less.input_gradient_flops, 0);
    EXPECT_EQ(less.written.count, 10);
    const auto truncated = NodeBuilder("Cast").input({10}).output({10}, DataType::i64).features();
    EXPECT_EQ(truncated.input_gradient_flops, 0);
    EXPECT_EQ(truncated.written.count, 80);
}

TEST(Elementwise, WhereKeepsTheCondition) {
    const auto features = NodeBuilder("Where").input({8, 16}, DataType::boolean).input({8, 16}).parameter({}).output({8, 16}).features();
    EXPECT_EQ(features.compute_type, DataType::f32);
    EXPECT_EQ(features.input_gradient_flops, 128);
    EXPECT_EQ(features.kept_for_backward.count, 128);
}

TEST(Elementwise, RandomTensorsReadNothing) {
    const auto features = NodeBuilder("RandomNormalLike").input({8, 16}).output({8, 16}).features();
    EXPECT_EQ(features.read.count, 0);
    EXPECT_EQ(features.written.count, 512);
    EXPECT_GT(features.flops, 128);
}

TEST(Elementwise, QuantisationHasNoBackward) {
    const auto quantise =
        NodeBuilder("QuantizeLinear").input({100}).parameter({}).parameter({}, DataType::i8).output({100}, DataType::i8).features();
    EXPECT_EQ(quantise.flops, 400);
    EXPECT_EQ(quantise.written.count, 100);
    const auto dequantise = NodeBuilder("DequantizeLinear").parameter({10, 10}, DataType::i8).parameter({10}).output({10, 10}).features();
    EXPECT_EQ(dequantise.flops, 200);
    EXPECT_EQ(dequantise.weight_gradient_flops, 0);
    EXPECT_EQ(dequantise.parameters_read.count, 140);
    EXPECT_EQ(NodeBuilder("QLinearAdd", "com.microsoft").input({100}, DataType::i8).output({100}, DataType::i8).features().compute_type,
              DataType::i8);
}

TEST(Elementwise, FusedBiasAndActivation) {
    const auto features = NodeBuilder("BiasGelu", "com.microsoft").input({8, 16}).parameter({16}).output({8, 16}).features();
    EXPECT_EQ(features.flops, 128 * (costs::kErf + 4 + 1));
    EXPECT_EQ(features.weight_gradient_flops, 128);
    EXPECT_EQ(features.kept_for_backward.count, 512);
}

TEST(Normalisation, LayerNormKeepsItsInputAndTwoStatisticsARow) {
    const auto features = NodeBuilder("LayerNormalization")
                              .input({2, 128, 768})
                              .parameter({768})
                              .parameter({768})
                              .set("axis", -1)
                              .output({2, 128, 768})
                              .features();
    const double elements = 2 * 128 * 768;
    EXPECT_EQ(features.operator_class, OperatorClass::reduction);
    EXPECT_EQ(features.flops, costs::kNormalise * elements);
    EXPECT_EQ(features.kept_for_backward.count, 4 * 2 * 128 * 768 + 4 * 2 * 256);
    EXPECT_EQ(features.weight_gradient_flops, 3 * elements);
    EXPECT_EQ(features.input_gradient_flops, costs::kNormaliseGradient * elements);
}

TEST(Normalisation, BatchNormTrainsScaleAndShiftNotItsStatistics) {
    const auto features = NodeBuilder("BatchNormalization")
                              .input({4, 64, 8, 8})
                              .parameter({64})
                              .parameter({64})
                              .parameter({64})
                              .parameter({64})
                              .output({4, 64, 8, 8})
                              .features();
    const double elements = 4 * 64 * 64;
    EXPECT_EQ(features.flops, 2 * elements) << "inference: one multiply-add";
    EXPECT_EQ(features.weight_gradient_flops, 3 * elements);
    EXPECT_EQ(features.kept_for_backward.count, 4 * static_cast<std::int64_t>(elements) + 4 * 2 * 64);
    EXPECT_EQ(features.parameters_read.count, 4 * 4 * 64);
    const auto training = NodeBuilder("BatchNormalization")
                              .input({4, 64, 8, 8})
                              .parameter({64})
                              .parameter({64})
                              .parameter({64})
                              .parameter({64})
                              .set("training_mode", 1)
                              .output({4, 64, 8, 8})
                              .features();
    EXPECT_EQ(training.flops, costs::kNormalise * elements);
}

TEST(Normalisation, StatisticsOfTheOtherNorms) {
    const std::int64_t x = 4 * 2 * 32 * 100;
    EXPECT_EQ(NodeBuilder("InstanceNormalization")
                  .input({2, 32, 10, 10})
                  .parameter({32})
                  .parameter({32})
                  .output({2, 32, 10, 10})
                  .features()
                  .kept_for_backward.count,
              x + 4 * 2 * 64);
    EXPECT_EQ(NodeBuilder("GroupNormalization", "", 18)
                  .input({2, 32, 10, 10})
                  .parameter({8})
                  .parameter({8})
                  .set("num_groups", 8)
                  .output({2, 32, 10, 10})
                  .features()
                  .kept_for_backward.count,
              x + 4 * 2 * 16);
    EXPECT_EQ(NodeBuilder("RMSNormalization", "", 23)
                  .input({2, 32, 100})
                  .parameter({100})
                  .output({2, 32, 100})
                  .features()
                  .kept_for_backward.count,
              x + 4 * 64);
    EXPECT_EQ(
        NodeBuilder("MeanVarianceNormalization", "", 13).input({2, 32, 10, 10}).output({2, 32, 10, 10}).features().kept_for_backward.count,
        x + 4 * 2 * 32);
    EXPECT_EQ(NodeBuilder("LRN").input({2, 32, 10, 10}).set("size", 5).output({2, 32, 10, 10}).features().flops,
              6400 * (10 + costs::kPower + 3));
}

TEST(Normalisation, SkipLayerNormAddsFirst) {
    const auto features = NodeBuilder("SkipLayerNormalization", "com.microsoft")
                              .input({1, 8, 16})
                              .input({1, 8, 16})
                              .parameter({16})
                              .parameter({16})
                              .parameter({16})
                              .output({1, 8, 16})
                              .features();
    EXPECT_EQ(features.flops, (costs::kNormalise + 2) * 128);
    EXPECT_EQ(features.kept_for_backward.count, 512 + 4 * 2 * 8);
}

TEST(Softmax, KeepsItsOutput) {
    const auto features = NodeBuilder("Softmax").input({12, 128, 128}).output({12, 128, 128}).features();
    EXPECT_EQ(features.flops, costs::kSoftmax * 12 * 128 * 128);
    EXPECT_EQ(features.kept_for_backward.count, 4 * 12 * 128 * 128);
    EXPECT_EQ(features.operator_class, OperatorClass::reduction);
}

TEST(Loss, CrossEntropyKeepsProbabilitiesAndLabels) {
    const auto features = NodeBuilder("SoftmaxCrossEntropyLoss").input({32, 1000}).input({32}, DataType::i64).output({}).features();
    EXPECT_EQ(features.flops, costs::kSoftmax * 32000 + costs::kLog * 32);
    EXPECT_EQ(features.kept_for_backward.count, 4 * 32000 + 8 * 32);
    const auto given =
        NodeBuilder("SoftmaxCrossEntropyLoss").input({32, 1000}).input({32}, DataType::i64).output({}).output({32, 1000}).features();
    EXPECT_EQ(given.kept_for_backward.count, features.kept_for_backward.count) << "the same probabilities, as an output";
}

TEST(Reduction, CountsTheInput) {
    EXPECT_EQ(NodeBuilder("ReduceMean").input({8, 100}).output({8, 1}).features().flops, 800);
    EXPECT_EQ(NodeBuilder("ReduceL2").input({8, 100}).output({8, 1}).features().flops, 1600);
    EXPECT_EQ(NodeBuilder("ReduceSum").input({8, 100}).output({8, 1}).features().kept_for_backward.count, 0);
    EXPECT_EQ(NodeBuilder("ReduceMax").input({8, 100}).output({8, 1}).features().kept_for_backward.count, 4 * 808);
    const auto argmax = NodeBuilder("ArgMax").input({8, 100}).output({8, 1}, DataType::i64).features();
    EXPECT_EQ(argmax.flops, 800);
    EXPECT_EQ(argmax.input_gradient_flops, 0);
}

TEST(Reduction, SelectionAndSorting) {
    const auto top = NodeBuilder("TopK").input({4, 1024}).constant({16}).output({4, 16}).output({4, 16}, DataType::i64).features();
    EXPECT_EQ(top.flops, 4 * 1024 * 4);
    EXPECT_EQ(top.kept_for_backward.count, 8 * 64) << "the indices";
    EXPECT_EQ(NodeBuilder("Unique").input({1024}).output({1024}).features().flops, 1024 * 10);
    const auto boxes =
        NodeBuilder("NonMaxSuppression").input({1, 1024, 4}).input({1, 3, 1024}).constant({100}).output({300, 3}, DataType::i64).features();
    EXPECT_EQ(boxes.flops, 3 * 1024 * (10 + 16.0 * 100));
}

TEST(Lookup, AnEmbeddingReadsItsRows) {
    const auto features = NodeBuilder("Gather").parameter({30522, 768}).input({1, 128}, DataType::i64).output({1, 128, 768}).features();
    EXPECT_EQ(features.operator_class, OperatorClass::embedding);
    EXPECT_EQ(features.parameters_read.count, 4 * 128 * 768);
    EXPECT_EQ(features.read.count, 8 * 128);
    EXPECT_EQ(features.written.count, 4 * 128 * 768);
    EXPECT_EQ(features.weight_gradient_flops, 128 * 768);
    EXPECT_EQ(features.kept_for_backward.count, 8 * 128) << "the indices";
    const auto small = NodeBuilder("Gather").parameter({2, 768}).input({1, 128}, DataType::i64).output({1, 128, 768}).features();
    EXPECT_EQ(small.parameters_read.count, 4 * 2 * 768) << "never more than the table";
    const auto activation = NodeBuilder("Gather").input({1000, 64}).constant({5}).output({1, 64}).features();
    EXPECT_EQ(activation.read.count, 4 * 64);
    EXPECT_EQ(activation.operator_class, OperatorClass::movement) << "which row is known beforehand: a slice";
}

TEST(Lookup, ScatterCopiesAndWrites) {
    const auto features = NodeBuilder("ScatterND", "", 18)
                              .input({100, 64})
                              .input({10, 1}, DataType::i64)
                              .input({10, 64})
                              .set("reduction", "add")
                              .output({100, 64})
                              .features();
    EXPECT_EQ(features.read.count, 4 * 6400 + 80 + 4 * 640);
    EXPECT_EQ(features.flops, 640);
}

TEST(Lookup, EmbedLayerNormReadsThreeTablesByRows) {
    const auto features = NodeBuilder("EmbedLayerNormalization", "com.microsoft")
                              .input({1, 128}, DataType::i32)
                              .input({1, 128}, DataType::i32)
                              .parameter({30522, 768})
                              .parameter({512, 768})
                              .parameter({2, 768})
                              .parameter({768})
                              .parameter({768})
                              .output({1, 128, 768})
                              .output({1}, DataType::i32)
                              .features();
    EXPECT_EQ(features.parameters_read.count, 4 * (128 * 768 + 128 * 768 + 2 * 768 + 2 * 768));
    EXPECT_EQ(features.flops, (costs::kNormalise + 2) * 128 * 768);
}

TEST(Movement, BytesWithoutArithmetic) {
    const auto transposed = NodeBuilder("Transpose").input({128, 12, 64}).output({12, 128, 64}).features();
    EXPECT_EQ(transposed.operator_class, OperatorClass::movement);
    EXPECT_EQ(transposed.flops + transposed.input_gradient_flops, 0);
    EXPECT_EQ(transposed.read.count, 4 * 128 * 12 * 64);
    EXPECT_EQ(transposed.kept_for_backward.count, 0);
    EXPECT_EQ(NodeBuilder("Slice").input({100, 64}).constant({0}).constant({10}).output({10, 64}).features().read.count, 4 * 640)
        << "only the part taken";
    EXPECT_EQ(NodeBuilder("Concat").input({10}).input({20}).output({30}).features().read.count, 120);
    EXPECT_EQ(NodeBuilder("Expand").input({1, 64}).constant({100, 64}).output({100, 64}).features().input_gradient_flops, 6400);
    EXPECT_EQ(NodeBuilder("Split").input({30}).output({10}).output({20}).features().written.count, 120);
    EXPECT_EQ(NodeBuilder("Shape").input({100, 64}).output({2}, DataType::i64).features().read.count, 0);
}

TEST(Control, BytesAndTheBodysFlops) {
    NodeBuilder loop("Loop");
    loop.constant({10}).no_input().input({4, 8}).output({4, 8}).captured("weight", {8, 8}, DataType::f32, true);
    auto& body = loop.body("body");
    for (const char* name : {"i", "go", "x"}) body.add_input()->set_name(name);
    auto& product = *body.add_node();
    product.set_op_type("MatMul");
    for (const char* name : {"x", "weight"}) product.add_input(name);
    product.add_output("y");
    auto& shape = *body.add_output();
    shape.set_name("y");
    auto& type = *shape.mutable_type()->mutable_tensor_type();
    type.set_elem_type(::onnx::TensorProto::FLOAT);
    for (const std::int64_t size : {4, 8}) type.mutable_shape()->add_dim()->set_dim_value(size);
    const auto features = loop.features();
    EXPECT_EQ(features.operator_class, OperatorClass::control);
    EXPECT_EQ(features.flops, 10 * 2.0 * 4 * 8 * 8) << "ten iterations; x has the shape that the operator is given";
    EXPECT_EQ(features.parameters_read.count, 4 * 64 + 8) << "the captured weight and the trip count";
    EXPECT_EQ(features.weight_gradient_flops, features.flops);
    EXPECT_EQ(features.kept_for_backward.count, 10 * 4 * 32);

    NodeBuilder branch("If");
    branch.input({}, DataType::boolean)
        .output({4, 8})
        .captured("x", {4, 8}, DataType::f32, false)
        .captured("weight", {8, 8}, DataType::f32, true);
    auto& then_branch = branch.body("then_branch");
    *then_branch.add_node() = product;
    *then_branch.add_output() = shape;
    auto& relu = *branch.body("else_branch").add_node();
    relu.set_op_type("Relu");
    relu.add_input("x");
    relu.add_output("y");
    EXPECT_EQ(branch.features().flops, 2.0 * 4 * 8 * 8) << "the heavier branch";
}

TEST(Control, ScanSeesOneSliceAStep) {
    NodeBuilder scan("Scan");
    scan.input({8}).input({20, 8}).set("num_scan_inputs", 1).output({8}).output({20, 8});
    auto& body = scan.body("body");
    for (const char* name : {"state", "slice"}) body.add_input()->set_name(name);
    auto& add = *body.add_node();
    add.set_op_type("Add");
    for (const char* name : {"state", "slice"}) add.add_input(name);
    add.add_output("next");
    auto& output = *body.add_output();
    output.set_name("next");
    output.mutable_type()->mutable_tensor_type()->set_elem_type(::onnx::TensorProto::FLOAT);
    output.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(8);
    EXPECT_EQ(scan.features().flops, 20 * 8);
}

TEST(Control, ABodyMayHoldAnother) {
    NodeBuilder outer("If");
    outer.input({}, DataType::boolean).output({4, 8}).captured("x", {4, 8}, DataType::f32, false);
    auto& inner = *outer.body("then_branch").add_node();
    inner.set_op_type("If");
    inner.add_input("x");
    inner.add_output("z");
    auto& attribute = *inner.add_attribute();
    attribute.set_name("then_branch");
    attribute.set_type(::onnx::AttributeProto::GRAPH);
    auto& relu = *attribute.mutable_g()->add_node();
    relu.set_op_type("Relu");
    relu.add_input("x");
    relu.add_output("z");
    auto& value = *attribute.mutable_g()->add_value_info();
    value.set_name("z");
    value.mutable_type()->mutable_tensor_type()->set_elem_type(::onnx::TensorProto::FLOAT);
    for (const std::int64_t size : {4, 8}) value.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(size);
    EXPECT_EQ(outer.features().flops, 32);
    auto& table = *attribute.mutable_g()->add_initializer();
    table.set_data_type(::onnx::TensorProto::FLOAT);
    table.add_dims(100);
    EXPECT_EQ(outer.features().parameters_read.count, 400) << "what the bodies hold is read too";
}

TEST(Classical, CoefficientsAreAttributes) {
    EXPECT_EQ(
        NodeBuilder("LinearRegressor", "ai.onnx.ml", 1).input({10, 5}).set_floats("coefficients", 15).output({10, 3}).features().flops,
        2 * 10 * 15);
}

}  // namespace
}  // namespace sluice::onnx::test
