// ONNX -> Graph (notes/onnx.md): parse without weight data, inline functions, infer shapes to a fixpoint, clean, derive features.
// libonnx stays behind this header.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/graph/graph.hpp"

namespace sluice::onnx {

struct ImportOptions {
    std::vector<std::pair<std::string, std::int64_t>> dimensions;  // --dim name=value: a symbolic dimension, or TENSOR.axis
    std::optional<std::int64_t> assume_size;                       // --assume-size: for every dimension still open at the end
};

/// What import did, for `inspect` and diagnostics.
struct ImportReport {
    std::int64_t opset = 0;
    std::string producer;
    std::size_t nodes = 0;               // in the file, after inlining functions
    std::size_t folded = 0;              // constants and shape chains folded away
    std::size_t removed_identities = 0;  // Identity, Dropout
    std::size_t views = 0;
    std::size_t aliases = 0;  // Identity(initializer) resolved
    std::size_t inlined_functions = 0;
    std::size_t shapes_inferred = 0, shapes_assumed = 0, shapes_open = 0;  // tensors
    std::vector<std::string> opaque_types;                                 // types without a cost rule, "com.acme.Foo (12)"
    std::vector<std::string> warnings;                                     // stray sinks, parameters that may be double, …
    std::vector<std::pair<std::string, std::string>> bound_dimensions;     // symbolic dimension -> value and where from
};

struct ImportedModel {
    graph::Graph graph;
    ImportReport report;
};

/// A .onnx or .onnx.gz file. Weight files are never opened; a path that would leave the model's folder is refused.
[[nodiscard]] Result<ImportedModel> import_file(const std::filesystem::path& path, const ImportOptions& options = {});
/// The same from bytes of a serialised ModelProto (fuzzing, zoo). `name` is what diagnostics call it.
[[nodiscard]] Result<ImportedModel> import_bytes(std::string_view bytes, const std::string& name, const ImportOptions& options = {});

}  // namespace sluice::onnx
