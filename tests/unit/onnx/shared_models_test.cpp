// The models of ../shared/models: all import, and again without the shapes that the file tells.
#include <chrono>
#include <filesystem>
#include <map>

#include "model_text.hpp"
#include "sluice/base/files.hpp"
#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {
namespace {

std::vector<std::filesystem::path> shared_models() {
    std::vector<std::filesystem::path> paths;
    const std::filesystem::path folder = SLUICE_SOURCE_DIR "/../shared/models";
    if (!std::filesystem::is_directory(folder)) return paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(".onnx") || name.ends_with(".onnx.gz")) paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    return paths;
}

/// Full shapes by tensor name: of the file, or of inference on it.
std::map<std::string, Shape> declared_shapes(const ::onnx::GraphProto& graph) {
    std::map<std::string, Shape> shapes;
    for (const auto* list : {&graph.value_info(), &graph.output()}) {
        for (const auto& info : *list) {
            if (const auto shape = full_shape(info.type())) shapes[info.name()] = *shape;
        }
    }
    return shapes;
}

TEST(SharedModels, AllImportByDefault) {
    const auto paths = shared_models();
    if (paths.empty()) GTEST_SKIP() << "../shared/models is absent";
    EXPECT_GE(paths.size(), 21u);
    for (const auto& path : paths) {
        const auto imported = import_file(path);
        ASSERT_TRUE(imported) << to_text(imported.error());
        const auto& report = imported->report;
        EXPECT_EQ(report.opset, 17) << path;
        EXPECT_GT(report.nodes, 0u) << path;
        EXPECT_EQ(report.shapes_open, 0u) << path;
        EXPECT_LE(imported->graph.operator_count() + report.folded + report.removed_identities, report.nodes) << path;
        for (const auto& tensor : imported->graph.tensors()) EXPECT_TRUE(tensor.shape_known) << path << " " << tensor.name;
        for (const auto& op : imported->graph.operators()) EXPECT_GE(op.source, 0);
        const bool data_dependent = path.filename().string().starts_with("mixtral");
        EXPECT_EQ(!imported->graph.assumptions().empty(), data_dependent) << path;
    }
}

TEST(SharedModels, ShapesAreFoundAgainWithoutTheFilesOwn) {
    const auto paths = shared_models();
    if (paths.empty()) GTEST_SKIP() << "../shared/models is absent";
    for (const auto& path : paths) {
        const auto bytes = read_file(path);
        ASSERT_TRUE(bytes);
        auto model = parse_model(*bytes, path.string());
        ASSERT_TRUE(model) << to_text(model.error());
        auto& graph = *(*model)->mutable_graph();
        const auto expected = declared_shapes(graph);
        graph.clear_value_info();
        for (auto& output : *graph.mutable_output()) output.clear_type();
        const auto scope = link(graph, path.string());
        ASSERT_TRUE(scope) << to_text(scope.error());
        const auto report = infer_shapes(**scope, opsets_of(**model), {}, path.string());
        ASSERT_TRUE(report) << to_text(report.error());
        std::size_t found = 0;
        std::string missing;
        for (const auto& [name, shape] : expected) {
            const auto inferred = full_shape((*scope)->names.at(name)->type);
            if (inferred == shape)
                ++found;
            else if (missing.size() < 500)
                missing += std::format(" {} {}", name, shape_text((*scope)->names.at(name)->type));
        }
        EXPECT_FALSE(expected.empty()) << path;
        EXPECT_GE(static_cast<double>(found), 0.99 * static_cast<double>(expected.size())) << path << missing;
        if (found != expected.size())
            std::printf("%s: %zu of %zu shapes;%s\n", path.filename().c_str(), found, expected.size(), missing.c_str());
    }
}

TEST(SharedModels, ImportWithoutTheFilesShapesGivesTheSameGraph) {
    const auto paths = shared_models();
    if (paths.empty()) GTEST_SKIP() << "../shared/models is absent";
    for (const auto& path : paths) {
        const auto bytes = read_file(path);
        ASSERT_TRUE(bytes);
        ::onnx::ModelProto model;
        ASSERT_TRUE(model.ParseFromString(*bytes));
        model.mutable_graph()->clear_value_info();
        const auto with = import_bytes(*bytes, "m.onnx"), without = import_bytes(model.SerializeAsString(), "m.onnx");
        ASSERT_TRUE(with) << to_text(with.error());
        ASSERT_TRUE(without) << to_text(without.error());
        EXPECT_EQ(with->graph.operator_count(), without->graph.operator_count()) << path;
        EXPECT_EQ(with->graph.parameter_count(), without->graph.parameter_count()) << path;
        std::map<std::string, Bytes> sizes;
        for (const auto& tensor : with->graph.tensors()) sizes[tensor.name] = tensor.bytes;
        std::size_t same = 0;
        for (const auto& tensor : without->graph.tensors()) same += sizes.contains(tensor.name) && sizes.at(tensor.name) == tensor.bytes;
        EXPECT_GE(static_cast<double>(same), 0.99 * static_cast<double>(sizes.size())) << path;
    }
}

}  // namespace
}  // namespace sluice::onnx
