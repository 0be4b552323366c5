// Sizes beyond what fits: 2.5 GB of weights in a file that is absent, ten thousand operators, and a small memory.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "model_text.hpp"
#include "sluice/onnx/load_model.hpp"

namespace sluice::onnx {
namespace {

/// `layers` of MatMul and Relu with weights of 25 MB each, all external, the file absent.
std::string external_model(int layers) {
    ::onnx::ModelProto model = parse_text("g (float[16, 2500] t0) => (y) { y = Relu(t0) }");
    auto& graph = *model.mutable_graph();
    graph.clear_node();
    for (int i = 0; i < layers; ++i) {
        auto& weight = add_weight(model, std::format("w{}", i), {2500, 2500});
        weight.set_data_location(::onnx::TensorProto::EXTERNAL);
        for (const auto& [key, value] : {std::pair<std::string, std::string>{"location", "weights.bin"},
                                         {"offset", std::to_string(std::int64_t{25'000'000} * i)},
                                         {"length", "25000000"}}) {
            auto& entry = *weight.add_external_data();
            entry.set_key(key);
            entry.set_value(value);
        }
        auto& product = *graph.add_node();
        product.set_op_type("MatMul");
        product.add_input(std::format("t{}", i));
        product.add_input(std::format("w{}", i));
        product.add_output(std::format("p{}", i));
        auto& relu = *graph.add_node();
        relu.set_op_type("Relu");
        relu.add_input(std::format("p{}", i));
        relu.add_output(i + 1 == layers ? "y" : std::format("t{}", i + 1));
    }
    return model.SerializeAsString();
}

long peak_kilobytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

TEST(LargeModels, TwoAndAHalfGigabytesOfAbsentWeightsImportInASmallMemory) {
    const std::string path = ::testing::TempDir() + std::format("sluice_large_{}.onnx", getpid());
    std::ofstream(path, std::ios::binary) << external_model(100);
    // A child of its own: the peak of this process also counts other tests.
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto imported = import_file(path);
        std::int64_t bytes = 0;
        if (imported) {
            for (const auto& parameter : imported->graph.parameters()) bytes += parameter.bytes.count;
        }
        _exit(!imported                                 ? 2
              : bytes != 2'500'000'000                  ? 3
              : imported->graph.operator_count() != 200 ? 4
              : peak_kilobytes() > 300'000              ? 5
                                                        : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    std::filesystem::remove(path);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << "2: no import, 3: bytes, 4: operators, 5: more than 300 MB of memory";
}

TEST(LargeModels, TenThousandOperators) {
    const auto imported = import_bytes(external_model(5000), "m.onnx");
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(imported->graph.operator_count(), 10'000u);
    EXPECT_EQ(shape_of(imported->graph, "y"), (Shape{16, 2500}));
}

// --- load_model -------------------------------------------------------------------------------------------------------

std::string write_temporary(const std::string& name, const std::string& content) {
    const std::string path = ::testing::TempDir() + std::format("sluice_{}_{}", getpid(), name);
    std::ofstream(path, std::ios::binary) << content;
    return path;
}

TEST(LoadModel, TellsFormatsByContent) {
    const auto onnx = write_temporary("no_suffix", parse_text("g (float[2] x) => (y) { y = Relu(x) }").SerializeAsString());
    const auto loaded = load_model(onnx);
    ASSERT_TRUE(loaded) << to_text(loaded.error());
    EXPECT_EQ(loaded->format, "onnx");
    ASSERT_TRUE(loaded->import);
    EXPECT_EQ(loaded->import->opset, 17);

    const auto profile = write_temporary(
        "profile.onnx",
        "node1 -- Input0 -- forward_compute_time=0.000, backward_compute_time=0.000, activation_size=8.0, parameter_size=0.000\n"
        "node2 -- Linear(in_features=1, out_features=2) -- forward_compute_time=1.0, backward_compute_time=2.0, activation_size=16.0, "
        "parameter_size=4.0\n\tnode1 -- node2\n");
    const auto pipedream = load_model(profile);
    ASSERT_TRUE(pipedream) << to_text(pipedream.error());
    EXPECT_EQ(pipedream->format, "pipedream");
    EXPECT_FALSE(pipedream->import);
    const auto sized = load_model(profile, {.dimensions = {}, .assume_size = 4});
    ASSERT_FALSE(sized);
    EXPECT_EQ(sized.error().kind, DiagnosticKind::usage);

    const auto json = write_temporary("other.json", "{\"key\": 1}");
    const auto unknown = load_model(json);
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().message.contains("is JSON, but no graph")) << unknown.error().message;
    for (const auto& path : {onnx, profile, json}) std::filesystem::remove(path);
}

TEST(LoadModel, ZooAndItsMisspellings) {
    const auto zoo = load_model("zoo:chain");
    ASSERT_TRUE(zoo) << to_text(zoo.error());
    EXPECT_EQ(zoo->format, "zoo");
    EXPECT_GT(zoo->graph.operator_count(), 0u);
    const auto misspelt = load_model("zoo:chian");
    ASSERT_FALSE(misspelt);
    EXPECT_TRUE(to_text(misspelt.error()).contains("'chain'")) << to_text(misspelt.error());
    const auto bare = load_model("chain");
    ASSERT_FALSE(bare);
    EXPECT_TRUE(bare.error().help.contains("zoo:chain")) << bare.error().help;
    EXPECT_FALSE(load_model("/nonexistent.onnx"));
    EXPECT_FALSE(load_model("/"));
}

}  // namespace
}  // namespace sluice::onnx
