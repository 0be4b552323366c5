// Every standard operator has a cost rule, or stands here with the reason why not.
#include <gtest/gtest.h>
#include <onnx/defs/schema.h>

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "node_builder.hpp"

namespace sluice::onnx::test {
namespace {

const std::map<std::string, std::string> kWithoutRule{
    {"ImageDecoder", "the work is in the entropy coding of the compressed bytes, which shapes do not tell; by bytes"},
    {"TfIdfVectorizer", "n-gram matching against pools given as attributes; data-dependent text processing; by bytes"},
};

graph::Features no_work(graph::OperatorClass operator_class) {
    graph::Features features;
    features.operator_class = operator_class;
    return features;
}

TEST(Registry, EveryStandardOperatorOfOpsets9To21HasARuleOrAReason) {
    std::set<std::string> standard;
    for (const auto& schema : ::onnx::OpSchemaRegistry::get_all_schemas_with_history()) {
        if (schema.domain().empty() && schema.SinceVersion() <= 21) standard.insert(schema.Name());
    }
    ASSERT_GE(standard.size(), 190U) << "the schema registry is not loaded: nothing would be checked";
    for (const auto& type : standard) { EXPECT_NE(has_cost_rule("", type), kWithoutRule.contains(type)) << type; }
    for (const auto& [type, reason] : kWithoutRule) EXPECT_TRUE(standard.contains(type)) << type << " is no operator";
}

TEST(Registry, ARuleIsForItsDomainAlone) {
    EXPECT_TRUE(has_cost_rule("ai.onnx", "Conv"));
    EXPECT_TRUE(has_cost_rule("com.microsoft", "FusedConv"));
    EXPECT_FALSE(has_cost_rule("", "FusedConv"));
    EXPECT_FALSE(has_cost_rule("com.acme", "Conv"));
    EXPECT_TRUE(has_cost_rule("com.microsoft", "Gelu")) << "the standard rule serves com.microsoft too";
}

TEST(Registry, FusedOperatorsOfOnnxRuntimeHaveRules) {
    for (const char* type : {"Attention",
                             "MultiHeadAttention",
                             "GroupQueryAttention",
                             "FusedMatMul",
                             "Gelu",
                             "FastGelu",
                             "BiasGelu",
                             "SkipLayerNormalization",
                             "EmbedLayerNormalization",
                             "LayerNormalization",
                             "QLinearAdd",
                             "QLinearMul",
                             "QLinearSigmoid",
                             "QLinearAveragePool",
                             "QLinearGlobalAveragePool",
                             "QLinearConcat",
                             "QLinearSoftmax",
                             "MatMulNBits",
                             "FusedConv",
                             "RotaryEmbedding",
                             "QAttention",
                             "DynamicQuantizeMatMul",
                             "FusedGemm",
                             "SkipSimplifiedLayerNormalization",
                             "BiasSoftmax",
                             "QuickGelu",
                             "NhwcFusedConv",
                             "Inverse"}) {
        EXPECT_TRUE(has_cost_rule("com.microsoft", type)) << type;
    }
}

TEST(Registry, ViewsMoveNothing) {
    for (const char* type : {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"}) {
        EXPECT_TRUE(is_view("", type)) << type;
        const auto features = NodeBuilder(type).input({8, 8}).output({64}).features();
        EXPECT_EQ(features, no_work(graph::OperatorClass::view)) << type;
    }
    EXPECT_FALSE(is_view("", "Transpose"));
    EXPECT_FALSE(is_view("", "Shape"));
    EXPECT_FALSE(is_view("com.acme", "Reshape"));
}

TEST(Registry, UnknownTypesAreCostedByBytes) {
    const auto features = NodeBuilder("Foo", "com.acme").input({10}).parameter({100}, DataType::f16).output({20}).features();
    EXPECT_EQ(features.operator_class, graph::OperatorClass::unknown);
    EXPECT_EQ(features.read.count, 40);
    EXPECT_EQ(features.parameters_read.count, 200);
    EXPECT_EQ(features.written.count, 80);
    EXPECT_EQ(features.flops, 0);
}

TEST(Registry, AnUnknownShapeLeavesTheClassAndNoWork) {
    const auto features = NodeBuilder("MatMul").unknown_input().parameter({8, 8}).output({4, 8}).features();
    EXPECT_EQ(features, no_work(graph::OperatorClass::matrix));
    EXPECT_EQ(NodeBuilder("Add").input({-1, 8}).input({8}).output({4, 8}).features().read.count, 0) << "a negative dimension is unknown";
}

TEST(Registry, SizesBeyondInt64LeaveNoWork) {
    constexpr std::int64_t large = std::int64_t{1} << 31;
    const auto one = NodeBuilder("Relu").input({large, large, large}).output({large, large, large}).features();
    EXPECT_EQ(one, no_work(graph::OperatorClass::elementwise));
    const auto add = [](std::int64_t columns) {
        return NodeBuilder("Add").input({large, columns}).input({large, columns}).output({large, columns}).features();
    };
    EXPECT_EQ(add(large / 8).read.count, std::int64_t{1} << 62);
    EXPECT_EQ(add(large / 4), no_work(graph::OperatorClass::elementwise)) << "each operand fits, 2^62 bytes, but not their sum";
    EXPECT_EQ(NodeBuilder("Relu").input({large, large, large, 0}).output({0}).features().read.count, 0);
}

TEST(Registry, AnOperandUsedTwiceIsReadAndKeptOnce) {
    const auto features = NodeBuilder("MatMul").input({16, 16}).same_input(0).output({16, 16}).features();
    EXPECT_EQ(features.read.count, 16 * 16 * 4);
    EXPECT_EQ(features.kept_for_backward.count, 16 * 16 * 4);
}

/// No type may crash or give negative or non-finite work on nodes that lack what the type demands: import meets them in damaged files.
TEST(Registry, MalformedNodesAreHarmless) {
    for (const auto& schema : ::onnx::OpSchemaRegistry::get_all_schemas_with_history()) {
        for (const Shape& shape : {Shape{}, Shape{0}, Shape{3}, Shape{2, 0, 5}, Shape{2, 3, 4, 5}}) {
            for (int inputs = 0; inputs < 6; ++inputs) {
                NodeBuilder node(schema.Name(), schema.domain());
                for (int i = 0; i < inputs; ++i) node.input(shape);
                if (inputs % 2 == 0) node.output(shape);
                const auto features = node.features();
                for (const double flops : {features.flops, features.input_gradient_flops, features.weight_gradient_flops}) {
                    EXPECT_TRUE(std::isfinite(flops) && flops >= 0)
                        << schema.Name() << " with " << inputs << " inputs of rank " << shape.size();
                }
                for (const std::int64_t count : {features.rows, features.read.count, features.written.count, features.parameters_read.count,
                                                 features.kept_for_backward.count}) {
                    EXPECT_GE(count, 0) << schema.Name() << " with " << inputs << " inputs of rank " << shape.size();
                }
            }
        }
    }
}

TEST(DataTypes, EveryElementTypeOfOnnxHasAKind) {
    for (int type = 1; type <= ::onnx::TensorProto::DataType_MAX; ++type) EXPECT_TRUE(data_type_of(type).has_value()) << type;
    EXPECT_FALSE(data_type_of(::onnx::TensorProto::UNDEFINED).has_value());
    EXPECT_FALSE(data_type_of(1000).has_value());
    EXPECT_EQ(data_type_of(::onnx::TensorProto::BFLOAT16), DataType::bf16);
    EXPECT_EQ(data_type_of(::onnx::TensorProto::UINT4), DataType::i4);
    EXPECT_EQ(data_type_of(::onnx::TensorProto::BOOL), DataType::boolean);
}

}  // namespace
}  // namespace sluice::onnx::test
