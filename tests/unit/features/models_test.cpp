// Whole models against published counts, twice: with the shapes that the files declare, so that the rules are tested alone (nodes whose
// shapes a file leaves open count nothing), and through import. Sources: torchvision's `_ops` metadata of each weights entry (0.17 and
// later; in multiply-adds, convolutions and matrix products only): AlexNet 0.714, ResNet-50 4.089, Inception v3 5.713, DenseNet-201 4.291,
// MobileNet v3 large 0.217, ViT-B/16 17.564, Swin-B 15.431 G. BERT-base, 128 tokens: 22.5 GFLOP (Sun et al., MobileBERT, ACL 2020, table
// 4). GPT-2, 1024 tokens: 291,648,307,200 FLOP (nanoGPT, transformer_sizing.ipynb: matrix products, scores whole, output layer included).
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <array>
#include <filesystem>
#include <map>
#include <ranges>
#include <set>
#include <string>
#include <unordered_map>

#include "node_builder.hpp"
#include "sluice/base/files.hpp"
#include "sluice/onnx/import.hpp"

namespace sluice::onnx::test {
namespace {

using graph::OperatorClass;

std::filesystem::path models_folder() { return std::filesystem::path(SLUICE_SOURCE_DIR) / ".." / "shared" / "models"; }

struct Census {
    double matrix_flops = 0;  // classes matrix, convolution, depthwise
    double other_flops = 0;
    double input_gradient = 0, weight_gradient = 0;
    std::map<std::string, int> unknown;  // standard types of class unknown
    std::size_t nodes = 0;
};

std::optional<TensorFacts> facts_of(const ::onnx::ValueInfoProto& value) {
    if (!value.type().has_tensor_type()) return std::nullopt;
    TensorFacts facts;
    facts.type = data_type_of(value.type().tensor_type().elem_type()).value_or(DataType::other);
    facts.shape_known = value.type().tensor_type().has_shape();
    for (const auto& dimension : value.type().tensor_type().shape().dim()) {
        facts.shape_known &= dimension.has_dim_value();
        facts.shape.push_back(dimension.dim_value());
    }
    return facts;
}

void count(const graph::Features& features, Census& census) {
    ++census.nodes;
    const bool products = features.operator_class == OperatorClass::matrix || features.operator_class == OperatorClass::convolution ||
                          features.operator_class == OperatorClass::depthwise;
    (products ? census.matrix_flops : census.other_flops) += features.flops;
    census.input_gradient += features.input_gradient_flops;
    census.weight_gradient += features.weight_gradient_flops;
}

Result<Census> census_of(const std::filesystem::path& path) {
    const auto bytes = read_file(path);
    if (!bytes) return fail(bytes.error());
    ::onnx::ModelProto model;
    if (!model.ParseFromString(*bytes)) return fail(input_error("not an ONNX model: " + path.string()));
    std::unordered_map<std::string, TensorFacts> known;
    const auto& graph = model.graph();
    for (const auto& tensor : graph.initializer()) {
        known[tensor.name()] = {.type = *data_type_of(tensor.data_type()),
                                .shape = {tensor.dims().begin(), tensor.dims().end()},
                                .shape_known = true,
                                .parameter = true,
                                .value = {}};
    }
    for (const auto* values : {&graph.input(), &graph.value_info(), &graph.output()}) {
        for (const auto& value : *values) {
            if (auto facts = facts_of(value)) known.emplace(value.name(), *std::move(facts));
        }
    }
    const auto look_up = [&](const std::string& name) -> std::optional<TensorFacts> {
        if (name.empty()) return std::nullopt;
        const auto found = known.find(name);
        return found == known.end() ? TensorFacts{} : found->second;
    };
    Census census;
    for (const auto& node : graph.node()) {
        OperatorFacts facts;
        facts.node = &node;
        for (const auto& opset : model.opset_import()) {
            if (opset.domain() == node.domain()) facts.opset = opset.version();
        }
        for (const auto& name : node.input()) facts.inputs.push_back(look_up(name));
        for (const auto& name : node.output()) facts.outputs.push_back(look_up(name));
        const auto features = features_of(facts);
        count(features, census);
        if (features.operator_class == OperatorClass::unknown && (node.domain().empty() || node.domain() == "ai.onnx"))
            ++census.unknown[node.op_type()];
    }
    return census;
}

struct Published {
    const char* file;
    double flops;
};

class PublishedTotals : public testing::TestWithParam<Published> {};

void expect_published(const Census& census, double published) {
    testing::Test::RecordProperty("gflop", std::to_string(census.matrix_flops / 1e9));
    testing::Test::RecordProperty("ratio", std::to_string(census.matrix_flops / published));
    EXPECT_NEAR(census.matrix_flops / published, 1, 0.02) << census.matrix_flops / 1e9 << " GFLOP, published " << published / 1e9;
    EXPECT_LT(census.other_flops, 0.15 * census.matrix_flops) << "everything else is small beside the products";
    EXPECT_NEAR((census.input_gradient + census.weight_gradient) / census.matrix_flops, 2, 0.2) << "a backward pass is two forward passes";
}

TEST_P(PublishedTotals, OfTheDeclaredShapes) {
    const auto path = models_folder() / GetParam().file;
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there: the shared folder beside the checkout holds the models";
    const auto census = census_of(path);
    ASSERT_TRUE(census.has_value()) << to_text(census.error());
    expect_published(*census, GetParam().flops);
}

TEST_P(PublishedTotals, ThroughImport) {
    const auto path = models_folder() / GetParam().file;
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there: the shared folder beside the checkout holds the models";
    const auto model = import_file(path);
    ASSERT_TRUE(model.has_value()) << to_text(model.error());
    Census census;
    for (const auto& op : model->graph.operators()) count(op.features, census);
    expect_published(census, GetParam().flops);
}

INSTANTIATE_TEST_SUITE_P(Models, PublishedTotals,
                         testing::Values(Published{"alexnet.onnx", 2 * 0.714e9}, Published{"resnet50.onnx", 2 * 4.089e9},
                                         Published{"inception_v3.onnx", 2 * 5.713e9}, Published{"densenet201.onnx", 2 * 4.291e9},
                                         Published{"mobilenet_v3_large.onnx", 2 * 0.217e9}, Published{"vit_b_16.onnx", 2 * 17.564e9},
                                         Published{"swin_b.onnx.gz", 2 * 15.431e9}, Published{"bert_base.onnx", 22.5e9},
                                         Published{"gpt2.onnx", 291648307200.0}),
                         [](const auto& given) {
                             std::string name = given.param.file;
                             return name.substr(0, name.find('.'));
                         });

TEST(AllModels, NoStandardOperatorIsUnknown) {
    if (!std::filesystem::exists(models_folder()))
        GTEST_SKIP() << models_folder() << " is not there: the shared folder beside the checkout holds the models";
    std::size_t models = 0;
    for (const auto& entry : std::filesystem::directory_iterator(models_folder())) {
        const std::string name = entry.path().filename().string();
        if (!name.contains(".onnx")) continue;
        const auto census = census_of(entry.path());
        ASSERT_TRUE(census.has_value()) << to_text(census.error());
        EXPECT_GT(census->nodes, 0U) << name;
        for (const auto& [type, count] : census->unknown) ADD_FAILURE() << name << ": " << count << " of type " << type;
        ++models;
    }
    EXPECT_GE(models, 21U);
}

TEST(AllModels, NothingTrainedLiesUpstreamOfTheFirstConvolution) {
    const auto path = models_folder() / "resnet50.onnx";
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there: the shared folder beside the checkout holds the models";
    const auto model = import_file(path);
    ASSERT_TRUE(model.has_value()) << to_text(model.error());
    std::size_t without = 0;
    for (const auto& op : model->graph.operators()) without += op.type == "Conv" && op.features.input_gradient_flops == 0;
    EXPECT_EQ(without, 1U);
}

TEST(AllModels, ThroughImportNoStandardOperatorIsUnknownAndEveryProductHasWork) {
    if (!std::filesystem::exists(models_folder()))
        GTEST_SKIP() << models_folder() << " is not there: the shared folder beside the checkout holds the models";
    for (const auto& entry : std::filesystem::directory_iterator(models_folder())) {
        const std::string name = entry.path().filename().string();
        if (!name.contains(".onnx")) continue;
        const auto model = import_file(entry.path(), {.dimensions = {}, .assume_size = 16});
        ASSERT_TRUE(model.has_value()) << name << ": " << to_text(model.error());
        for (const auto& op : model->graph.operators()) {
            const auto& features = op.features;
            EXPECT_NE(features.operator_class, OperatorClass::unknown) << name << ": " << op.name << " of type " << op.type;
            if (features.operator_class == OperatorClass::matrix || features.operator_class == OperatorClass::convolution) {
                EXPECT_GT(features.flops, 0) << name << ": " << op.name << " of type " << op.type;
                EXPECT_GT(features.rows, 0) << name << ": " << op.name << " of type " << op.type;
            }
            if (features.operator_class != OperatorClass::view) {
                EXPECT_GT(features.written.count, 0) << name << ": " << op.name << " of type " << op.type;
            }
        }
    }
}

}  // namespace
}  // namespace sluice::onnx::test
