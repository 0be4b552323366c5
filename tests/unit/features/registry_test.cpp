// Every standard operator has a cost rule, or stands here with the reason why not.
#include <gtest/gtest.h>
#include <onnx/defs/schema.h>

#include <cmath>
#include <limits>
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
                             "Inverse",
                             "MoE"}) {
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

TEST(Gradients, OfWhatHasSomethingTrainedUpstream) {
    NodeBuilder first("Conv");
    const auto features = first.untrained_input({1, 3, 8, 8}).parameter({4, 3, 3, 3}).output({1, 4, 6, 6}).features();
    EXPECT_EQ(features.input_gradient_flops, 0) << "nobody wants the gradient of the image";
    EXPECT_EQ(features.weight_gradient_flops, features.flops);
    EXPECT_EQ(features.kept_for_backward.count, 4 * 192);
    EXPECT_TRUE(passes_gradient(first.facts()));

    NodeBuilder mask("Mul");
    EXPECT_EQ(mask.untrained_input({8}).parameter({}).output({8}).features().input_gradient_flops, 0);
    EXPECT_FALSE(passes_gradient(mask.facts()));
    NodeBuilder table("Gather");
    EXPECT_TRUE(passes_gradient(table.parameter({10, 4}).input({3}, DataType::i64).output({3, 4}).facts()));
    NodeBuilder cast("Cast");
    EXPECT_FALSE(passes_gradient(cast.input({3}, DataType::i64).output({3}).facts()));
    NodeBuilder view("Reshape");
    EXPECT_TRUE(passes_gradient(view.input({4}).constant({2, 2}).output({2, 2}).facts()));

    const auto scaled = NodeBuilder("MatMul").untrained_input({4, 8}).input({8, 2}).output({4, 2}).features();
    EXPECT_EQ(scaled.input_gradient_flops, scaled.flops);
    EXPECT_EQ(scaled.kept_for_backward.count, 4 * 32) << "only the operand that the other one's gradient needs";
}

TEST(Gradients, KeptTensorsAreWhatTheSumIsMadeOf) {
    NodeBuilder norm("LayerNormalization");
    norm.input({4, 8}).parameter({8}).parameter({8}).output({4, 8});
    const auto kept = kept_by(norm.facts());
    EXPECT_EQ(kept.inputs, std::vector<std::size_t>{0});
    EXPECT_TRUE(kept.outputs.empty());
    EXPECT_EQ(kept.beside.count, 4 * 2 * 4);
    EXPECT_EQ(norm.features().kept_for_backward.count, 4 * 32 + kept.beside.count);
    NodeBuilder relu("Relu");
    EXPECT_EQ(kept_by(relu.input({8}).output({8}).facts()).outputs, std::vector<std::size_t>{0});
    NodeBuilder square("Mul");
    EXPECT_EQ(kept_by(square.input({8}).same_input(0).output({8}).facts()).inputs, std::vector<std::size_t>{0});
    NodeBuilder unread("TopK");
    EXPECT_EQ(kept_by(unread.input({4, 64}).constant({2}).output({4, 2}).no_output().facts()).beside.count, 8 * 8)
        << "indices, also unread ones";
}

void expect_sane(const graph::Features& features, const std::string& what) {
    for (const double flops : {features.flops, features.input_gradient_flops, features.weight_gradient_flops})
        EXPECT_TRUE(std::isfinite(flops) && flops >= 0) << what;
    for (const std::int64_t count :
         {features.rows, features.read.count, features.written.count, features.parameters_read.count, features.kept_for_backward.count})
        EXPECT_GE(count, 0) << what;
}

/// Every type with a rule: the standard ones from the schemas, the others by name.
std::vector<std::pair<std::string, std::string>> all_types() {
    std::set<std::pair<std::string, std::string>> types;
    for (const auto& schema : ::onnx::OpSchemaRegistry::get_all_schemas_with_history()) types.emplace(schema.Name(), schema.domain());
    for (const char* type :
         {"Attention", "QAttention", "MultiHeadAttention", "GroupQueryAttention", "DecoderMaskedMultiHeadAttention", "MoE", "MatMulNBits",
          "FusedMatMul", "FusedConv", "NhwcFusedConv", "EmbedLayerNormalization", "SkipLayerNormalization", "GroupNorm",
          "GatherBlockQuantized", "DynamicQuantizeLSTM", "BiasGelu", "BiasSplitGelu", "QGemm"})
        types.emplace(type, "com.microsoft");
    types.emplace("Attention", "");
    types.emplace("RMSNormalization", "");
    return {types.begin(), types.end()};
}

/// No type may crash or give negative or non-finite work on nodes that lack what the type demands: import meets them in damaged files.
TEST(Registry, MalformedNodesAreHarmless) {
    for (const auto& [type, domain] : all_types()) {
        for (const Shape& shape : {Shape{}, Shape{0}, Shape{3}, Shape{2, 0, 5}, Shape{2, 3, 4}, Shape{2, 3, 4, 5}, Shape{2, 3, 4, 5, 6}}) {
            for (int inputs = 0; inputs < 9; ++inputs) {
                NodeBuilder node(type, domain);
                for (int i = 0; i < inputs; ++i) i % 3 == 2 ? node.parameter(shape) : node.input(shape);
                if (inputs % 4 != 3) node.output(shape);
                expect_sane(node.features(), type + " with " + std::to_string(inputs) + " inputs of rank " + std::to_string(shape.size()));
            }
        }
    }
}

TEST(Registry, ExtremeAttributesAreHarmless) {
    const std::vector<std::string> names{"axis",
                                         "axes",
                                         "group",
                                         "kernel_shape",
                                         "num_heads",
                                         "kv_num_heads",
                                         "q_num_heads",
                                         "qkv_hidden_sizes",
                                         "hidden_size",
                                         "layout",
                                         "size",
                                         "num_groups",
                                         "groups",
                                         "sampling_ratio",
                                         "p",
                                         "K",
                                         "N",
                                         "k",
                                         "num_scan_inputs",
                                         "scan_input_axes",
                                         "local_window_size",
                                         "onesided",
                                         "channels_last",
                                         "opset"};
    for (const auto& [type, domain] : all_types()) {
        for (const std::int64_t value : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{-7}, std::numeric_limits<std::int64_t>::max(),
                                         std::numeric_limits<std::int64_t>::min()}) {
            NodeBuilder node(type, domain);
            for (int i = 0; i < 5; ++i) i % 2 == 1 ? node.parameter({2, 3, 4}) : node.input({2, 3, 4});
            node.constant({value}).output({2, 3, 4}).output({2, 3, 4});
            for (const auto& name : names) {
                if (name == "axes" || name == "qkv_hidden_sizes" || name == "kernel_shape" || name == "scan_input_axes") {
                    node.set(name, Shape{value, value, value});
                } else {
                    node.set(name, value);
                }
            }
            expect_sane(node.features(), type + " with " + std::to_string(value));
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
