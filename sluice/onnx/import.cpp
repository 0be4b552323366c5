#include "sluice/onnx/import.hpp"

#include <onnx/onnx_pb.h>

#include <exception>
#include <format>

#include "sluice/base/files.hpp"
#include "sluice/onnx/import/build.hpp"
#include "sluice/onnx/import/clean.hpp"
#include "sluice/onnx/import/owned.hpp"
#include "sluice/onnx/import/parse.hpp"
#include "sluice/onnx/import/scope.hpp"
#include "sluice/onnx/import/shapes.hpp"

namespace sluice::onnx {

namespace {

Result<ImportedModel> import_model(::onnx::ModelProto& model, const std::string& file, const ImportOptions& options) {
    if (auto done = check_model(model, file); !done) return fail(std::move(done.error()));
    ImportReport report;
    const auto inlined = inline_functions(model, file);
    if (!inlined) return fail(inlined.error());
    report.inlined_functions = *inlined;
    if (model.functions_size() > 0) {
        report.warnings.push_back(
            std::format("{} of the model's functions could not be inlined: their opsets differ from the model's", model.functions_size()));
    }
    const auto scope = link(*model.mutable_graph(), file);
    if (!scope) return fail(scope.error());
    const Opsets opsets = opsets_of(model);
    report.nodes = (*scope)->nodes.size();
    report.opset = opsets.contains("") ? opsets.at("") : 0;
    report.producer =
        model.producer_version().empty() ? model.producer_name() : std::format("{} {}", model.producer_name(), model.producer_version());
    const auto shapes = infer_shapes(**scope, opsets, options, file);
    if (!shapes) return fail(shapes.error());
    return build_graph(**scope, clean(**scope), *shapes, opsets, options, std::move(report), file);
}

/// libonnx and protobuf throw; nothing of ours does.
template <typename Parse>
Result<ImportedModel> guarded(const std::string& file, Parse parse, const ImportOptions& options) {
    try {
        auto model = parse();
        if (!model) return fail(std::move(model.error()));
        return import_model(**model, file, options);
    } catch (const std::exception& error) {
        return fail({DiagnosticKind::internal, std::format("import of '{}' failed: {}", file, error.what()), {file, 0, 0}, {}, {}});
    }
}

}  // namespace

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
