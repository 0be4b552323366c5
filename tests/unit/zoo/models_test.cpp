// Every zoo model: valid ONNX, right shapes, runs with finite results, the parameters its paper says, the same bytes every time.
#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "sluice/base/files.hpp"
#include "sluice/onnx/zoo.hpp"
#include "tests/unit/zoo/runtime.hpp"
#include "tests/unit/zoo/samples.hpp"

namespace sluice {
namespace {

using onnx::zoo_bytes;
using onnx::ZooWeights;

std::string bytes_of(const std::string& specification, ZooWeights weights, std::uint64_t seed = 1) {
    auto bytes = zoo_bytes(specification, weights, seed);
    EXPECT_TRUE(bytes) << to_text(bytes.error());
    return bytes ? *std::move(bytes) : std::string();
}

::onnx::ModelProto parse(const std::string& bytes) {
    ::onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromString(bytes));
    return model;
}

/// 4 bytes times the elements of all float parameters; constants of the arithmetic are scalars.
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

std::set<std::string> types_of(const ::onnx::GraphProto& graph) {
    std::set<std::string> types;
    for (const auto& value : graph.value_info()) types.insert(type_text(value));
    for (const auto& value : graph.output()) types.insert(type_text(value));
    return types;
}

std::string external_value(const ::onnx::TensorProto& tensor, const std::string& key) {
    for (const auto& entry : tensor.external_data()) {
        if (entry.key() == key) return entry.value();
    }
    ADD_FAILURE() << tensor.name() << " has no " << key;
    return "0";
}

class Folder {
public:
    Folder() : path_(std::filesystem::temp_directory_path() / ("sluice_zoo_test_" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::directory_iterator(path_)) all.push_back(entry.path().filename().string());
        std::ranges::sort(all);
        return all;
    }

private:
    std::filesystem::path path_;
};

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
    EXPECT_EQ(types_of(stated.graph()).size(), produced.size());
    ::onnx::ModelProto inferred = stated;
    inferred.mutable_graph()->clear_value_info();
    for (auto& output : *inferred.mutable_graph()->mutable_output()) output.mutable_type()->mutable_tensor_type()->clear_shape();
    ASSERT_NO_THROW(::onnx::shape_inference::InferShapes(inferred, ::onnx::OpSchemaRegistry::Instance(), {true, 1, false}));
    EXPECT_EQ(types_of(inferred.graph()), types_of(stated.graph()));
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
    EXPECT_EQ(sluice::read_file(folder / "m.onnx"), bytes);
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

INSTANTIATE_TEST_SUITE_P(All, ZooParameters,
                         testing::Values(Count{"chain", 16 * (1024 * 1024 + 1024)},                // by formula
                                         Count{"residual", 16 * (2 * 1024 * 4096 + 4096 + 1024)},  // by formula
                                         Count{"bert-base", 109'482'240},                          // as published implementations count
                                         Count{"bert-large", 335'141'888},                         // the same
                                         Count{"bert-base:layers=3", 109'482'240 - 9 * encoder_layer(768, 3072)}));

}  // namespace
}  // namespace sluice
