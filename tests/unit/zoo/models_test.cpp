// Every zoo model: valid ONNX, right shapes, runs with finite results, the parameters its paper says, the same bytes every time.
#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "sluice/base/files.hpp"
#include "sluice/onnx/import.hpp"
#include "tests/unit/zoo/helpers.hpp"
#include "tests/unit/zoo/runtime.hpp"
#include "tests/unit/zoo/samples.hpp"

namespace sluice {
namespace {

using onnx::zoo_bytes;
using onnx::ZooWeights;

using test::bytes_of;
using test::external_value;
using test::Folder;
using test::parse;

/// Elements of all float parameters; constants of the arithmetic are scalars.
std::int64_t parameters_of(const ::onnx::ModelProto& model) {
    std::int64_t count = 0;
    for (const auto& tensor : model.graph().initializer()) {
        if (tensor.data_type() != ::onnx::TensorProto::FLOAT || tensor.dims_size() == 0) continue;
        std::int64_t elements = 1;
        for (const std::int64_t size : tensor.dims()) elements *= size;
        count += elements;
    }
    return count;
}

std::string type_text(const ::onnx::ValueInfoProto& value) {
    std::string text = value.name() + ":" + std::to_string(value.type().tensor_type().elem_type());
    for (const auto& dim : value.type().tensor_type().shape().dim())
        text += " " + (dim.has_dim_value() ? std::to_string(dim.dim_value()) : "?");
    return text;
}

std::set<std::string> tensor_types_of(const ::onnx::GraphProto& graph) {
    std::set<std::string> types;
    for (const auto& value : graph.value_info()) types.insert(type_text(value));
    for (const auto& value : graph.output()) types.insert(type_text(value));
    return types;
}

class ZooModel : public testing::TestWithParam<test::Sample> {
protected:
    static void SetUpTestSuite() { static_cast<void>(test::Runtime::env()); }  // silences libonnx's registry too
    [[nodiscard]] static std::string small() { return "zoo:" + GetParam().name + ":" + GetParam().small; }
};

INSTANTIATE_TEST_SUITE_P(All, ZooModel, testing::ValuesIn(test::samples()), [](const auto& instance) {
    std::string name = instance.param.name;
    std::ranges::replace(name, '-', '_');
    return name;
});

TEST(ZooSamples, HoldEveryEntryOnce) {
    std::vector<std::string> entries, sampled;
    for (const auto& entry : onnx::zoo_entries()) {
        entries.emplace_back(entry.name);
        EXPECT_FALSE(entry.description.empty());
        for (const auto& parameter : entry.parameters) EXPECT_FALSE(parameter.meaning.empty()) << entry.name << " " << parameter.name;
    }
    for (const auto& sample : test::samples()) sampled.push_back(sample.name);
    EXPECT_EQ(sampled, entries);
}

TEST_P(ZooModel, PassesTheCheckerAndRunsWithFiniteValues) {
    const std::string bytes = bytes_of(small(), ZooWeights::random);
    const ::onnx::ModelProto model = parse(bytes);
    EXPECT_EQ(model.ir_version(), 8);
    ASSERT_EQ(model.opset_import_size(), 1);
    EXPECT_EQ(model.opset_import(0).version(), 17);
    ASSERT_NO_THROW(::onnx::checker::check_model(model, true));
    const test::RunResult result = test::run_bytes(bytes);
    EXPECT_GT(result.values, 0u);
    EXPECT_EQ(result.not_finite, 0u);
    EXPECT_GT(result.largest, 1e-6);
    EXPECT_LT(result.largest, 1e9);
    EXPECT_GT(std::ranges::count_if(result.first, [&](float value) { return value != result.first[0]; }) + (result.first.size() == 1), 0)
        << "all values of the first output are equal";
}

TEST_P(ZooModel, StatesTheShapesThatInferenceFinds) {
    const ::onnx::ModelProto stated = parse(bytes_of(small(), ZooWeights::random));
    std::set<std::string> produced;
    for (const auto& node : stated.graph().node()) {
        for (const auto& output : node.output()) EXPECT_TRUE(produced.insert(output).second) << output;
    }
    EXPECT_EQ(tensor_types_of(stated.graph()).size(), produced.size());
    ::onnx::ModelProto inferred = stated;
    inferred.mutable_graph()->clear_value_info();
    for (auto& output : *inferred.mutable_graph()->mutable_output()) output.mutable_type()->mutable_tensor_type()->clear_shape();
    ASSERT_NO_THROW(::onnx::shape_inference::InferShapes(inferred, ::onnx::OpSchemaRegistry::Instance(), {true, 1, false}));
    EXPECT_EQ(tensor_types_of(inferred.graph()), tensor_types_of(stated.graph()));
}

TEST_P(ZooModel, HasTheSameBytesForTheSameSeedOnly) {
    EXPECT_EQ(bytes_of(small(), ZooWeights::random, 7), bytes_of(small(), ZooWeights::random, 7));
    EXPECT_NE(bytes_of(small(), ZooWeights::random, 7), bytes_of(small(), ZooWeights::random, 8));
    EXPECT_EQ(bytes_of(GetParam().name, ZooWeights::none), bytes_of("zoo:" + GetParam().name, ZooWeights::none));
}

TEST_P(ZooModel, AtDefaultSizeWithoutWeightsIsValidBesideAFileOfItsExternalLength) {
    const std::string bytes = bytes_of(GetParam().name, ZooWeights::none);
    const ::onnx::ModelProto model = parse(bytes);
    std::map<std::int64_t, std::int64_t> ranges;
    std::int64_t end = 0;
    for (const auto& tensor : model.graph().initializer()) {
        if (tensor.data_location() != ::onnx::TensorProto::EXTERNAL) {
            EXPECT_LE(tensor.raw_data().size(), 1024u) << tensor.name();
            continue;
        }
        EXPECT_EQ(external_value(tensor, "location"), "weights.bin");
        const std::int64_t offset = std::stoll(external_value(tensor, "offset")), length = std::stoll(external_value(tensor, "length"));
        EXPECT_GT(length, 1024);
        EXPECT_GE(offset, end) << tensor.name() << " overlaps the tensor before it";
        end = offset + length;
    }
    const Folder folder;
    ASSERT_TRUE(onnx::zoo_write(GetParam().name, ZooWeights::none, 1, folder / "m.onnx"));
    std::ofstream(folder / "weights.bin").close();
    std::filesystem::resize_file(folder / "weights.bin", static_cast<std::uintmax_t>(end));  // sparse
    ASSERT_NO_THROW(::onnx::checker::check_model((folder / "m.onnx").string(), true));
    EXPECT_EQ(read_file(folder / "m.onnx").value_or("unreadable"), bytes);
}

TEST_P(ZooModel, AtDefaultSizeImportsWithNothingOpen) {
    const std::string bytes = bytes_of(GetParam().name, ZooWeights::none);
    const auto imported = onnx::import_bytes(bytes, GetParam().name);
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(imported->report.shapes_open, 0u);
    EXPECT_TRUE(imported->report.opaque_types.empty()) << imported->report.opaque_types.front();
    EXPECT_TRUE(imported->report.warnings.empty()) << imported->report.warnings.front();
    const auto model = parse(bytes);
    EXPECT_EQ(imported->graph.operator_count() + imported->report.folded, static_cast<std::size_t>(model.graph().node_size()));
}

struct Count {
    std::string specification;
    std::int64_t parameters;
};

class ZooParameters : public testing::TestWithParam<Count> {};

TEST_P(ZooParameters, AreThoseOfTheModel) {
    EXPECT_EQ(parameters_of(parse(bytes_of(GetParam().specification, ZooWeights::none))), GetParam().parameters);
}

constexpr std::int64_t encoder_layer(std::int64_t hidden, std::int64_t ff) {
    return 4 * (hidden * hidden + hidden) + 2 * hidden * ff + ff + hidden + 4 * hidden;
}

constexpr std::int64_t dense(std::int64_t from, std::int64_t to) { return from * to + to; }
constexpr std::int64_t conv(std::int64_t from, std::int64_t to, std::int64_t kernel) { return from * to * kernel * kernel; }

/// Convolution and batch norm with its two statistics.
constexpr std::int64_t conv_norm(std::int64_t from, std::int64_t to, std::int64_t kernel) { return conv(from, to, kernel) + 4 * to; }

constexpr std::int64_t inception() {
    std::int64_t total = conv_norm(3, 64, 7) + dense(1024, 1000);
    std::int64_t from = 64;
    for (std::int64_t channels : {256, 512, 1024}) {
        for (int module = 0; module < 3; ++module, from = channels) {
            total += conv_norm(from, channels / 4, 1) + conv_norm(from, channels / 4, 1) + conv_norm(channels / 4, channels / 2, 3) +
                     conv_norm(from, channels / 16, 1) + conv_norm(channels / 16, channels / 8, 5) + conv_norm(from, channels / 8, 1);
        }
    }
    return total;
}

constexpr std::int64_t unet() {
    std::int64_t total = dense(64, 2), from = 3;
    for (std::int64_t width : {64, 128, 256, 512, 1024}) {
        total += conv(from, width, 3) + conv(width, width, 3) + 2 * width;
        from = width;
    }
    for (std::int64_t width : {512, 256, 128, 64}) {
        total += conv(2 * width, width, 2) + conv(2 * width, width, 3) + conv(width, width, 3) + 3 * width;
    }
    return total;
}

constexpr std::int64_t kGpt2Layer = 4 * 768 + dense(768, 3 * 768) + dense(768, 768) + dense(768, 3072) + dense(3072, 768);
constexpr std::int64_t kMoeLayer = 4 * dense(512, 512) + 4 * 512 + dense(512, 16) + 16 * (dense(512, 1024) + dense(1024, 512));
constexpr std::int64_t kTower = 12 * encoder_layer(512, 2048) + dense(512, 512);
constexpr std::int64_t kDense = 28 * dense(4096, 4096), kTop = 3 * dense(4096, 4096) + dense(4096, 1);

INSTANTIATE_TEST_SUITE_P(All, ZooParameters,
                         testing::Values(Count{"chain", 16 * dense(1024, 1024)},  //
                                         Count{"residual", 16 * (dense(1024, 4096) + dense(4096, 1024))}, Count{"inception", inception()},
                                         Count{"bert-base", 109'482'240},   // as published implementations count
                                         Count{"bert-large", 335'141'888},  // the same
                                         Count{"bert-base:layers=3", 109'482'240 - 9 * encoder_layer(768, 3072)},
                                         Count{"gpt2", 124'439'808},  // the same
                                         Count{"gpt2:layers=48", 124'439'808 + 36 * kGpt2Layer},
                                         Count{"resnet50", 25'557'032 + 2 * 26'560},             // published, and the running statistics
                                         Count{"resnet50:blocks3=23", 44'549'160 + 2 * 52'672},  // ResNet-101, the same
                                         Count{"unet", unet()}, Count{"mmt", 32 * encoder_layer(1024, 4096) + dense(4096, 1024)},
                                         Count{"mmt:branches=2,fusion=0", 16 * encoder_layer(1024, 4096)},
                                         Count{"dlrm", kDense + 7 * 64'000'000 + dense(73'472, 4096) + kTop},
                                         Count{"candle-uno", kDense + dense(28'672, 4096) + kTop},  //
                                         Count{"moe", 4 * kMoeLayer},
                                         Count{"two-tower", 2 * kTower + (49'408 + 64 + 49) * 512 + dense(3 * 32 * 32, 512)}),
                         [](const auto& instance) {
                             std::string name = instance.param.specification;
                             std::ranges::replace_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
                             return name;
                         });

}  // namespace
}  // namespace sluice
