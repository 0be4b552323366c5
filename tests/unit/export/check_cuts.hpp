// A small model, cut in every way that a prefix of its operators allows and into one stage an operator, must compute what it computes
// whole.
#pragma once

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <cstring>
#include <fstream>
#include <span>

#include "sluice/onnx/export.hpp"
#include "sluice/onnx/load_model.hpp"
#include "tests/support/run_stages.hpp"
#include "tests/unit/export/folder.hpp"
#include "tests/unit/onnx/model_text.hpp"

namespace sluice::test {

using Stages = std::vector<std::vector<OperatorId>>;

inline void save(const ::onnx::ModelProto& model, const std::filesystem::path& path) {
    std::ofstream out(path, std::ios::binary);
    ASSERT_TRUE(model.SerializeToOstream(&out));
}

inline ::onnx::ModelProto load(const std::filesystem::path& path) {
    ::onnx::ModelProto model;
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(model.ParseFromIstream(&in)) << path;
    return model;
}

/// Every value distinct, none of them large.
inline std::vector<float> varied(std::size_t count) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(static_cast<double>(i * 7919 % 2003) / 1000.0 - 1.0);
    return values;
}

inline ::onnx::TensorProto& add_floats(::onnx::GraphProto& graph, const std::string& name, const std::vector<std::int64_t>& shape) {
    auto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(::onnx::TensorProto::FLOAT);
    std::size_t count = 1;
    for (const std::int64_t size : shape) {
        tensor.add_dims(size);
        count *= static_cast<std::size_t>(size);
    }
    const auto values = varied(count);
    tensor.mutable_raw_data()->assign(reinterpret_cast<const char*>(values.data()), count * sizeof(float));
    return tensor;
}

struct Exported {
    onnx::Manifest manifest;
    std::vector<::onnx::ModelProto> models;

    [[nodiscard]] std::vector<std::string> types(std::size_t stage) const {
        std::vector<std::string> all;
        for (const auto& node : models[stage].graph().node()) all.push_back(node.op_type());
        return all;
    }
    [[nodiscard]] bool has(std::size_t stage, const std::string& type) const { return std::ranges::contains(types(stage), type); }
};

inline std::vector<std::string> names_of(std::span<const onnx::StageTensor> tensors) {
    std::vector<std::string> names;
    for (const auto& tensor : tensors) names.push_back(tensor.name);
    return names;
}

/// Operators 0 … at - 1, and the rest.
inline Stages cut_at(const graph::Graph& graph, std::size_t at) {
    Stages stages(2);
    for (std::size_t i = 0; i < graph.operator_count(); ++i) stages[i < at ? 0 : 1].push_back(OperatorId(i));
    return stages;
}

/// The operator that makes the tensor is the first of the second stage.
inline Stages cut_before(const graph::Graph& graph, std::string_view tensor) {
    for (std::size_t i = 0; i < graph.operator_count(); ++i) {
        if (graph.first_output_name(OperatorId(i)) == tensor) return cut_at(graph, i);
    }
    ADD_FAILURE() << "nothing makes " << tensor;
    return {};
}

inline Exported export_good(const std::filesystem::path& model, const std::filesystem::path& folder, const Stages& stages,
                            const onnx::ExportOptions& options = {}) {
    const auto loaded = onnx::load_model(model.string(), options.import);
    if (!loaded) {
        ADD_FAILURE() << to_text(loaded.error());
        return {};
    }
    auto manifest = onnx::export_stages(model, loaded->graph, stages, folder, options);
    if (!manifest) {
        ADD_FAILURE() << to_text(manifest.error());
        return {};
    }
    const auto read = onnx::read_manifest_file(folder / onnx::kManifestName);
    EXPECT_TRUE(read && *read == *manifest);
    Exported exported{std::move(*manifest), {}};
    for (const auto& stage : exported.manifest.stages) {
        exported.models.push_back(load(folder / stage.file));
        // ONNX wants a shape of every input; where not even the rank is known there is none, and ONNX Runtime wants none.
        if (options.import.assume_size) continue;
        try {
            ::onnx::checker::check_model((folder / stage.file).string());
        } catch (const std::exception& error) { ADD_FAILURE() << stage.file << ": " << error.what(); }
    }
    return exported;
}

inline void check_cuts(const ::onnx::ModelProto& model, const onnx::ImportOptions& import = {}) {
    const TemporaryFolder folder;
    save(model, folder / "model.onnx");
    const auto loaded = onnx::load_model((folder / "model.onnx").string(), import);
    ASSERT_TRUE(loaded) << to_text(loaded.error());
    const graph::Graph& graph = loaded->graph;
    std::vector<Stages> partitions;
    for (std::size_t at = 1; at < graph.operator_count(); ++at) partitions.push_back(cut_at(graph, at));
    Stages single;
    for (std::size_t i = 0; i < graph.operator_count(); ++i) single.push_back({OperatorId(i)});
    partitions.push_back(single);
    for (const int level : {0, 99}) {
        const Reference reference(folder / "model.onnx", level, 3);
        for (const bool self_contained : {false, true}) {
            for (const Stages& stages : partitions) {
                const auto exported = export_good(folder / "model.onnx", folder / "stages", stages,
                                                  {.import = import, .self_contained = self_contained, .adopt_weights = false, .stop = {}});
                ASSERT_EQ(exported.models.size(), stages.size());
                check_borders(graph, stages, exported.manifest);
                const Comparison result = reference.compare(folder / "stages", exported.manifest);
                EXPECT_TRUE(level > 0 || result.bitwise) << stages.size() << " stages, the first of " << stages.front().size();
                EXPECT_LE(result.worst, 1e-5) << result.worst_tensor;
                EXPECT_EQ(result.not_finite, 0U);
            }
        }
    }
}

inline void check_cuts(const std::string& graph, const onnx::ImportOptions& import = {}, int opset = 17) {
    check_cuts(onnx::parse_text(graph, opset), import);
}

}  // namespace sluice::test
