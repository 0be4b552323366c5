// Stages as model files: each a valid ONNX file whose initializers point into the model's own weight file. Run one after the other they
// compute what the unsplit model computes, bit for bit without graph optimisation.
#pragma once

#include <span>
#include <stop_token>
#include <vector>

#include "sluice/graph/graph.hpp"
#include "sluice/onnx/import.hpp"
#include "sluice/onnx/manifest.hpp"

namespace sluice::onnx {

struct ExportOptions {
    ImportOptions import;         // as the plan's model was imported
    bool self_contained = false;  // copy the weights each stage needs into the folder
    bool adopt_weights = false;   // the model was made for this export: its weight files move into the folder
    std::stop_token stop;
};

/// Writes stage-0.onnx, …, and manifest.json into `folder` (made when absent; all files appear or none; an earlier export there is
/// replaced). Weights beside the model are reached through relative links weights-N.bin: ONNX Runtime takes no path out of the folder from
/// a body of If. `stages`: operators of `graph`, which must be the import of `model` with these options, or that with rewrites
/// (graph::rewritten), which are made in the stages. Operators in no stage (replicated
/// ones) go where they are needed, so do folded constants, shape chains, removed identities and what bodies capture; a parameter goes to
/// every stage that uses it. Diagnostics: weights that are absent (which file; --weights); another model; a folder that cannot be written;
/// no room.
[[nodiscard]] Result<Manifest> export_stages(const std::filesystem::path& model, const graph::Graph& graph,
                                             std::span<const std::vector<OperatorId>> stages, const std::filesystem::path& folder,
                                             const ExportOptions& options);

/// Whether `folder` is one that export_stages would write: absent, empty or an earlier export. To ask before long work.
[[nodiscard]] Result<void> check_export_folder(const std::filesystem::path& folder);

}  // namespace sluice::onnx
