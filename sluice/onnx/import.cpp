#include "sluice/onnx/import.hpp"

#include <onnx/onnx_pb.h>

#include <exception>
#include <format>

#include "sluice/base/files.hpp"
#include "sluice/onnx/import/build.hpp"
#include "sluice/onnx/import/owned.hpp"
#include "sluice/onnx/import/parse.hpp"
#include "sluice/onnx/import/understand.hpp"

namespace sluice::onnx {

namespace {

Result<ImportedModel> import_model(std::unique_ptr<::onnx::ModelProto> model, const std::string& file, const ImportOptions& options) {
    auto understood = understand(std::move(model), file, options);
    if (!understood) return fail(std::move(understood.error()));
    const auto& [proto, scope, opsets, shapes, cleaned, report] = *understood;
    return build_graph(*scope, cleaned, shapes, opsets, options, report, file);
}

/// libonnx and protobuf throw; nothing of ours does.
template <typename Parse>
Result<ImportedModel> guarded(const std::string& file, Parse parse, const ImportOptions& options) {
    try {
        auto model = parse();
        if (!model) return fail(std::move(model.error()));
        return import_model(std::move(*model), file, options);
    } catch (const std::exception& error) {
        return fail({DiagnosticKind::internal, std::format("import of '{}' failed: {}", file, error.what()), {file, 0, 0}, {}, {}});
    }
}

}  // namespace

Result<Understood> understand(std::unique_ptr<::onnx::ModelProto> model, const std::string& file, const ImportOptions& options) {
    if (auto done = check_model(*model, file); !done) return fail(std::move(done.error()));
    Understood result;
    ImportReport& report = result.report;
    const auto inlined = inline_functions(*model, file);
    if (!inlined) return fail(inlined.error());
    report.inlined_functions = *inlined;
    if (model->functions_size() > 0) {
        report.warnings.push_back(
            std::format("{} of the model's functions could not be inlined: their opsets differ from the model's", model->functions_size()));
    }
    auto scope = link(*model->mutable_graph(), file);
    if (!scope) return fail(scope.error());
    result.scope = std::move(*scope);
    result.opsets = opsets_of(*model);
    report.nodes = result.scope->nodes.size();
    report.opset = result.opsets.contains("") ? result.opsets.at("") : 0;
    report.producer = model->producer_version().empty() ? model->producer_name()
                                                        : std::format("{} {}", model->producer_name(), model->producer_version());
    auto shapes = infer_shapes(*result.scope, result.opsets, options, file);
    if (!shapes) return fail(shapes.error());
    result.shapes = std::move(*shapes);
    result.cleaned = clean(*result.scope);
    result.model = std::move(model);
    return result;
}

Result<ImportedModel> import_bytes(std::string_view bytes, const std::string& name, const ImportOptions& options) {
    return guarded(name, [&] { return parse_model(bytes, name); }, options);
}

Result<ImportedModel> import_owned(std::string bytes, const std::string& file, const ImportOptions& options) {
    const auto parse = [&] {
        auto model = parse_model(bytes, file);
        std::string().swap(bytes);
        return model;
    };
    return guarded(file, parse, options);
}

Result<ImportedModel> import_file(const std::filesystem::path& path, const ImportOptions& options) {
    auto bytes = read_file(path, kLargestModelFile);
    if (!bytes) return fail(std::move(bytes.error()));
    return import_owned(std::move(*bytes), path.string(), options);
}

}  // namespace sluice::onnx
