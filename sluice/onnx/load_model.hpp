// MODEL of the command line: a path (.onnx, .onnx.gz, workload or graph JSON, graph.txt) or zoo:NAME[:key=value,…].
#pragma once

#include <string_view>

#include "sluice/onnx/import.hpp"

namespace sluice::onnx {

struct LoadedModel {
    graph::Graph graph;
    std::optional<ImportReport> import;  // ONNX only
    std::string format;                  // "onnx", "zoo", "sluice.graph/1", "msr", "pipedream", "piper"
};

/// The format is told by content, not by file name. --dim and --assume-size on a format without symbolic sizes are a usage Diagnostic.
[[nodiscard]] Result<LoadedModel> load_model(std::string_view specification, const ImportOptions& options = {});

}  // namespace sluice::onnx
