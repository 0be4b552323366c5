#include "sluice/onnx/export.hpp"

#include <exception>
#include <format>

#include "sluice/base/files.hpp"
#include "sluice/onnx/export/folder.hpp"
#include "sluice/onnx/export/rewrite_model.hpp"
#include "sluice/onnx/export/slice.hpp"
#include "sluice/onnx/export/stage_model.hpp"
#include "sluice/onnx/features.hpp"
#include "sluice/onnx/import/build.hpp"
#include "sluice/onnx/import/parse.hpp"
#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {

namespace fs = std::filesystem;

namespace {

/// Diagnostics: what no message between stages can carry.
Result<StageTensor> stage_tensor(const TensorInfo& info) {
    const auto shape = full_shape(info.type);
    const auto type = info.type.tensor_type().elem_type();
    const auto bytes = shape && data_type_of(type) && type != ::onnx::TensorProto::STRING ? bytes_of(type, *shape) : std::nullopt;
    if (!bytes)
        return fail(input_error(std::format("tensor '{}' is {}, which cannot go in or out of a stage", info.name,
                                            type == ::onnx::TensorProto::STRING ? "one of strings" : shape_text(info.type)))
                        .fix("plan with its operators in one stage"));
    return StageTensor{std::string(info.name), type, *shape, *bytes, info.varies};
}

Result<std::vector<StageTensor>> stage_tensors(std::span<const TensorInfo* const> infos) {
    std::vector<StageTensor> tensors;
    for (const TensorInfo* info : infos) {
        auto tensor = stage_tensor(*info);
        if (!tensor) return fail(std::move(tensor.error()));
        tensors.push_back(std::move(*tensor));
    }
    return tensors;
}

/// A model input that nothing reads may have open sizes: it is listed all the same, since whoever runs the whole model must feed it.
StageTensor unread_input(const TensorInfo& info) {
    StageTensor tensor{std::string(info.name), info.type.tensor_type().elem_type(), {}, {}, true};
    for (const auto& size : info.type.tensor_type().shape().dim()) tensor.shape.push_back(size.has_dim_value() ? size.dim_value() : 1);
    tensor.bytes = bytes_of(tensor.element_type, tensor.shape).value_or(Bytes{});
    return tensor;
}

Result<void> add_model_borders(Manifest& manifest, const Scope& scope, const Slices& slices) {
    for (const TensorInfo* input : scope.inputs) {
        if (input->initializer) continue;
        auto tensor = stage_tensor(*input);
        manifest.inputs.push_back(tensor ? std::move(*tensor) : unread_input(*input));
    }
    for (std::size_t i = 0; i < scope.outputs.size(); ++i) {
        auto tensor = stage_tensor(*scope.outputs[i]);
        if (!tensor) return fail(std::move(tensor.error()));
        manifest.outputs.push_back({std::move(*tensor), slices.made_as[i] ? std::string(slices.made_as[i]->name) : std::string()});
    }
    return {};
}

Result<StageModel> write_stage(const Understood& model, const Slice& slice, std::size_t stage, const fs::path& folder,
                               WeightFiles& weights) {
    weights.begin_stage(stage);
    auto proto = stage_model(model, slice, stage, weights);
    if (!proto) return fail(std::move(proto.error()));
    if (auto done = weights.end_stage(); !done) return fail(std::move(done.error()));
    StageModel written{.file = std::format("stage-{}.onnx", stage), .inputs = {}, .outputs = {}};
    const std::size_t bytes = proto->ByteSizeLong();
    if (bytes > kLargestModelFile)
        return fail(input_error(std::format("stage {} takes {} as one ONNX message, protobuf holds 2 GiB", stage,
                                            to_text(Bytes{static_cast<std::int64_t>(bytes)})))
                        .fix("save the model with its weights as external data"));
    std::string text;
    proto->SerializeToString(&text);  // no map fields in ONNX messages: equal messages have equal bytes
    if (auto done = write_file(folder / written.file, text); !done) return fail(std::move(done.error()));
    auto inputs = stage_tensors(slice.inputs), outputs = stage_tensors(slice.outputs);
    if (!inputs || !outputs) return fail(std::move(inputs ? outputs.error() : inputs.error()));
    written.inputs = std::move(*inputs);
    written.outputs = std::move(*outputs);
    return written;
}

/// `sources`: per operator of the graph, its node.
Result<std::vector<std::optional<std::size_t>>> owners(const graph::Graph& graph, std::span<const std::int64_t> sources,
                                                       std::span<const std::vector<OperatorId>> stages, std::size_t nodes) {
    std::vector<std::optional<std::size_t>> owner(nodes);
    for (std::size_t s = 0; s < stages.size(); ++s) {
        for (const OperatorId op : stages[s]) {
            const std::int64_t source = sources[op.index()];
            if (source < 0 || source >= static_cast<std::int64_t>(nodes))
                return fail(input_error(std::format("{} of the graph is no operator of the model file", graph.label(op))));
            owner[static_cast<std::size_t>(source)] = s;
        }
    }
    return owner;
}

Result<Manifest> export_model(const fs::path& path, const graph::Graph& graph, std::span<const std::vector<OperatorId>> stages,
                              const fs::path& folder, const ExportOptions& options) {
    const std::string file = path.string();
    auto bytes = read_file(path, kLargestModelFile);
    if (!bytes) return fail(std::move(bytes.error()));
    auto proto = parse_model(*bytes, file);
    if (!proto) return fail(std::move(proto.error()));
    std::string().swap(*bytes);
    auto model = understand(std::move(*proto), file, options.import);
    if (!model) return fail(std::move(model.error()));
    const auto again = build_graph(*model->scope, model->cleaned, model->shapes, model->opsets, options.import, model->report, file);
    if (!again) return fail(again.error());
    if (again->graph.fingerprint() != graph.model_fingerprint())
        return fail(
            input_error(std::format("'{}' is another model than the one that was split", file))
                .note(std::format("its fingerprint is {}, the plan is for {}", again->graph.fingerprint(), graph.model_fingerprint())));
    std::vector<std::int64_t> sources;
    if (const graph::Derivation* derivation = graph.derivation()) {
        const auto changed = graph::rewritten(again->graph, derivation->rewrites);
        if (!changed) return fail(changed.error());
        auto rewritten = rewrite_model(std::move(*model), again->graph, *changed, options.import, file);
        if (!rewritten) return fail(std::move(rewritten.error()));
        *model = std::move(rewritten->model);
        sources = std::move(rewritten->source);
    } else {
        for (const graph::Operator& op : again->graph.operators()) sources.push_back(op.source);
    }
    const auto owner = owners(graph, sources, stages, model->scope->nodes.size());
    if (!owner) return fail(owner.error());
    const auto slices = slice_stages(*model, *owner, stages.size());
    if (!slices) return fail(slices.error());

    auto target = ExportFolder::make(folder);
    if (!target) return fail(std::move(target.error()));
    std::error_code error;
    if (fs::equivalent(fs::absolute(path).parent_path(), target->final_path(), error))
        return fail(input_error(std::format("cannot export to '{}': the model lies in it", folder.string())).fix("give -o a new folder"));
    WeightFiles weights(path, target->path(), target->final_path(),
                        options.self_contained  ? WeightPlacement::copy
                        : options.adopt_weights ? WeightPlacement::move
                                                : WeightPlacement::link,
                        options.stop);
    Manifest manifest{.model = graph.name(), .fingerprint = graph.model_fingerprint(), .stages = {}, .inputs = {}, .outputs = {}};
    if (auto done = add_model_borders(manifest, *model->scope, *slices); !done) return fail(std::move(done.error()));
    for (std::size_t s = 0; s < stages.size(); ++s) {
        if (options.stop.stop_requested()) return fail({DiagnosticKind::stopped, "stopped before the stages were written", {}, {}, {}});
        auto stage = write_stage(*model, slices->stages[s], s, target->path(), weights);
        if (!stage) return fail(std::move(stage.error()));
        manifest.stages.push_back(std::move(*stage));
    }
    auto done = weights.finish().and_then([&] { return write_file(target->path() / kManifestName, to_json_text(manifest)); }).and_then([&] {
        return target->finish();
    });
    if (!done) return fail(std::move(done.error()));
    return manifest;
}

}  // namespace

Result<void> check_export_folder(const fs::path& folder) {
    return ExportFolder::check(folder).transform([](const auto&) {});
}

Result<Manifest> export_stages(const fs::path& model, const graph::Graph& graph, std::span<const std::vector<OperatorId>> stages,
                               const fs::path& folder, const ExportOptions& options) {
    // libonnx and protobuf throw; nothing of ours does.
    try {
        return export_model(model, graph, stages, folder, options);
    } catch (const std::exception& error) {
        return fail({DiagnosticKind::internal, std::format("export of '{}' failed: {}", model.string(), error.what()), {}, {}, {}});
    }
}

}  // namespace sluice::onnx
