#include "sluice/onnx/manifest.hpp"

#include <format>
#include <limits>
#include <nlohmann/json.hpp>

#include "sluice/base/json.hpp"

namespace sluice::onnx {

namespace {

using nlohmann::ordered_json;

ordered_json to_json(const StageTensor& tensor) {
    return {{"name", tensor.name},
            {"element_type", tensor.element_type},
            {"shape", tensor.shape},
            {"bytes", tensor.bytes.count},
            {"varies", tensor.varies}};
}

ordered_json to_json(const std::vector<StageTensor>& tensors) {
    auto list = ordered_json::array();
    for (const StageTensor& tensor : tensors) list.push_back(to_json(tensor));
    return list;
}

/// One member of an object, read by `as` (a member function of json::Node).
template <typename T>
Result<void> read(const json::Node& object, std::string_view key, Result<T> (json::Node::*as)() const, T& value) {
    const auto member = object.get(key);
    if (!member) return fail(member.error());
    auto read = ((*member)->*as)();
    if (!read) return fail(std::move(read.error()));
    value = std::move(*read);
    return {};
}

template <typename T, typename Read>
Result<void> read_list(const json::Node& object, std::string_view key, std::vector<T>& list, Read read_item) {
    const json::Array* items = nullptr;
    if (auto done = read(object, key, &json::Node::as_array, items); !done) return done;
    for (const json::Node& item : *items) {
        auto value = read_item(item);
        if (!value) return fail(std::move(value.error()));
        list.push_back(std::move(*value));
    }
    return {};
}

Result<void> read_members(const json::Node& node, StageTensor& tensor) {
    std::int64_t type = 0;
    return read(node, "name", &json::Node::as_string, tensor.name)
        .and_then([&] { return read(node, "element_type", &json::Node::as_count, type); })
        .and_then([&]() -> Result<void> {
            tensor.element_type = static_cast<std::int32_t>(type);
            if (type >= 1 && type <= std::numeric_limits<std::int32_t>::max()) return {};
            return fail(input_error(std::format("element type {} of '{}' is none of ONNX", type, tensor.name)).at(node.where()));
        })
        .and_then([&] { return read_list(node, "shape", tensor.shape, [](const json::Node& size) { return size.as_count(); }); })
        .and_then([&] { return read(node, "bytes", &json::Node::as_bytes, tensor.bytes); })
        .and_then([&] { return read(node, "varies", &json::Node::as_bool, tensor.varies); });
}

Result<StageTensor> read_tensor(const json::Node& node) {
    StageTensor tensor;
    auto done = node.expect_keys({"name", "element_type", "shape", "bytes", "varies"}).and_then([&] { return read_members(node, tensor); });
    if (!done) return fail(std::move(done.error()));
    return tensor;
}

Result<StageModel> read_stage(const json::Node& node) {
    StageModel stage;
    auto done = node.expect_keys({"file", "inputs", "outputs"})
                    .and_then([&] { return read(node, "file", &json::Node::as_string, stage.file); })
                    .and_then([&] { return read_list(node, "inputs", stage.inputs, read_tensor); })
                    .and_then([&] { return read_list(node, "outputs", stage.outputs, read_tensor); });
    if (!done) return fail(std::move(done.error()));
    // A manifest is somebody's file: it may not send a worker elsewhere.
    if (stage.file.empty() || stage.file.contains('/') || stage.file.contains('\0') || stage.file == "." || stage.file == "..")
        return fail(input_error("a stage's file must be a plain name in the manifest's folder").at(node.where()));
    return stage;
}

Result<Manifest::Output> read_output(const json::Node& node) {
    Manifest::Output output;
    auto done = node.expect_keys({"name", "element_type", "shape", "bytes", "varies", "made_as"})
                    .and_then([&] { return read_members(node, output.tensor); })
                    .and_then([&] { return read(node, "made_as", &json::Node::as_string, output.made_as); });
    if (!done) return fail(std::move(done.error()));
    return output;
}

}  // namespace

std::string to_json_text(const Manifest& manifest) {
    auto stages = ordered_json::array();
    for (const StageModel& stage : manifest.stages)
        stages.push_back({{"file", stage.file}, {"inputs", to_json(stage.inputs)}, {"outputs", to_json(stage.outputs)}});
    auto outputs = ordered_json::array();
    for (const Manifest::Output& output : manifest.outputs) {
        outputs.push_back(to_json(output.tensor));
        outputs.back()["made_as"] = output.made_as;
    }
    return json::to_file_text({{"format", kStagesFormat},
                               {"model", manifest.model},
                               {"fingerprint", manifest.fingerprint},
                               {"inputs", to_json(manifest.inputs)},
                               {"outputs", std::move(outputs)},
                               {"stages", std::move(stages)}});
}

Result<Manifest> read_manifest(const json::Node& document) {
    Manifest manifest;
    auto done = document.expect_format(kStagesFormat)
                    .and_then([&] { return document.expect_keys({"format", "model", "fingerprint", "inputs", "outputs", "stages"}); })
                    .and_then([&] { return read(document, "model", &json::Node::as_string, manifest.model); })
                    .and_then([&] { return read(document, "fingerprint", &json::Node::as_string, manifest.fingerprint); })
                    .and_then([&] { return read_list(document, "inputs", manifest.inputs, read_tensor); })
                    .and_then([&] { return read_list(document, "outputs", manifest.outputs, read_output); })
                    .and_then([&] { return read_list(document, "stages", manifest.stages, read_stage); });
    if (!done) return fail(std::move(done.error()));
    return manifest;
}

Result<Manifest> read_manifest_file(const std::filesystem::path& path) {
    const auto document = json::parse_file(path);
    if (!document) return fail(document.error());
    return read_manifest(*document);
}

}  // namespace sluice::onnx
