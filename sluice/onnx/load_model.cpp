#include "sluice/onnx/load_model.hpp"

#include <algorithm>
#include <format>

#include "sluice/base/files.hpp"
#include "sluice/base/json.hpp"
#include "sluice/graph/serialise.hpp"
#include "sluice/graph/workloads.hpp"
#include "sluice/onnx/import/owned.hpp"
#include "sluice/onnx/zoo.hpp"

namespace sluice::onnx {

namespace {

std::string_view without_leading_space(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    return begin == std::string_view::npos ? std::string_view{} : text.substr(begin);
}

/// PipeDream's profiles begin with a line "node1 -- Input0 -- forward_compute_time=…".
bool is_pipedream(std::string_view text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    return line.starts_with("node") && line.contains(" -- ");
}

std::string stem_of(const std::filesystem::path& path) {
    std::string name = path.filename().string();
    for (const std::string_view suffix : {".gz", ".json", ".txt", ".graph"}) {
        if (name.ends_with(suffix) && name.size() > suffix.size()) name.resize(name.size() - suffix.size());
    }
    return name;
}

Result<LoadedModel> wrap(Result<ImportedModel> imported, std::string format) {
    if (!imported) return fail(std::move(imported.error()));
    return LoadedModel{std::move(imported->graph), std::move(imported->report), std::move(format)};
}

Result<LoadedModel> wrap(Result<graph::Graph> graph, std::string format) {
    if (!graph) return fail(std::move(graph.error()));
    return LoadedModel{std::move(*graph), std::nullopt, std::move(format)};
}

Result<void> refuse_sizes(const ImportOptions& options, const std::string& file) {
    if (options.dimensions.empty() && !options.assume_size) return {};
    return fail(usage_error(std::format("--dim and --assume-size are for ONNX models; all sizes in '{}' are given", file)));
}

Result<LoadedModel> load_json(std::string_view text, const std::filesystem::path& path) {
    const auto document = json::parse(text, path.string());
    if (!document) return fail(document.error());
    switch (graph::detect_format(*document)) {
        case graph::JsonFormat::sluice_graph:
            return wrap(graph::read_graph(*document), std::string(graph::kGraphFormat));
        case graph::JsonFormat::msr:
            return wrap(graph::read_msr(*document, stem_of(path)), "msr");
        case graph::JsonFormat::piper:
            return wrap(graph::read_piper(*document, stem_of(path)), "piper");
        case graph::JsonFormat::unknown:
            break;
    }
    return fail(input_error(std::format("'{}' is JSON, but no graph", path.string()))
                    .fix(std::format("a graph has \"format\": \"{}\", or is a workload of msr or piper", graph::kGraphFormat)));
}

Diagnostic missing(Diagnostic diagnostic, std::string_view specification) {
    const std::string_view name = specification.substr(0, specification.find(':'));
    if (std::ranges::contains(zoo_entries(), name, &ZooEntry::name))
        diagnostic.help = std::format("did you mean the zoo's model, zoo:{}?", specification);
    else if (!diagnostic.help.empty())
        diagnostic.help += "; a model of the zoo is written zoo:NAME";
    return diagnostic;
}

}  // namespace

Result<LoadedModel> load_model(std::string_view specification, const ImportOptions& options) {
    if (specification.starts_with("zoo:")) {
        auto bytes = zoo_bytes(specification);
        if (!bytes) return fail(std::move(bytes.error()));
        return wrap(import_owned(std::move(*bytes), std::string(specification), options), "zoo");
    }
    const std::filesystem::path path(specification);
    auto content = read_file(path, (std::size_t{1} << 31) - 1);
    if (!content) return fail(missing(std::move(content.error()), specification));
    const std::string_view text = without_leading_space(*content);
    const bool json = text.starts_with('{') || text.starts_with('[');
    if (!json && !is_pipedream(text)) return wrap(import_owned(std::move(*content), path.string(), options), "onnx");
    if (auto done = refuse_sizes(options, path.string()); !done) return fail(std::move(done.error()));
    if (json) return load_json(*content, path);
    return wrap(graph::read_pipedream(*content, path.string(), stem_of(path)), "pipedream");
}

}  // namespace sluice::onnx
