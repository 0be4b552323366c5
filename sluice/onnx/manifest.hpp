// What export wrote: `sluice.stages/1` JSON beside the stage models. All that a worker needs to know of a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/json.hpp"
#include "sluice/base/units.hpp"

namespace sluice::onnx {

inline constexpr std::string_view kStagesFormat = "sluice.stages/1";
inline constexpr std::string_view kManifestName = "manifest.json";

struct StageTensor {
    std::string name;
    std::int32_t element_type = 0;    // TensorProto::DataType
    std::vector<std::int64_t> shape;  // as imported; the largest one where `varies`
    Bytes bytes;
    bool varies = false;  // some size differs from run to run: messages carry the shape
    friend bool operator==(const StageTensor&, const StageTensor&) = default;
};

struct StageModel {
    std::string file;  // relative to the manifest
    std::vector<StageTensor> inputs, outputs;
    friend bool operator==(const StageModel&, const StageModel&) = default;
};

struct Manifest {
    std::string model;        // its name
    std::string fingerprint;  // graph::Graph::model_fingerprint
    std::vector<StageModel> stages;
    /// The model's own, in its order. An output is the tensor `made_as` of the stages (an Identity at the end of the model renames it);
    /// made_as empty: it depends on no input's data and no stage makes it.
    std::vector<StageTensor> inputs;
    struct Output {
        StageTensor tensor;
        std::string made_as;
        friend bool operator==(const Output&, const Output&) = default;
    };
    std::vector<Output> outputs;
    friend bool operator==(const Manifest&, const Manifest&) = default;
};

[[nodiscard]] std::string to_json_text(const Manifest& manifest);
[[nodiscard]] Result<Manifest> read_manifest(const json::Node& document);
[[nodiscard]] Result<Manifest> read_manifest_file(const std::filesystem::path& path);

}  // namespace sluice::onnx
