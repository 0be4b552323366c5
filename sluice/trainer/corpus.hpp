// What a policy is trained and tried on: `sluice.corpus/1`, models by name with their family, split by family so that no relative of a test
// graph is trained on, each with the identity of the graph that it must make. And what training needs of one model on one platform.
// Deterministic.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/cost/stage_problem.hpp"
#include "sluice/mcm/policy/features.hpp"

namespace sluice::trainer {

inline constexpr std::string_view kCorpusFormat = "sluice.corpus/1";

enum class Split { train, validation, test };
[[nodiscard]] std::string_view to_text(Split split);

struct CorpusEntry {
    std::string model;  // as load_model takes it; `file`: a file of the folder of models
    bool file = false;
    std::string family;
    Split split = Split::train;
    std::string kind;         // chain, branchy, span-limited: how the corpus was balanced
    std::string fingerprint;  // of its graph; empty: not said
};

struct Corpus {
    std::string name;                    // file or folder
    std::vector<std::string> platforms;  // a graph is put on one of them after the other
    std::vector<CorpusEntry> entries;
};

/// The one that comes with sluice: models of the zoo.
[[nodiscard]] const Corpus& default_corpus();
/// A corpus file, or a folder whose model files (.onnx, .onnx.gz, .json) are all of it: each a family of its own, every fifth for
/// validation. Diagnostics: unreadable, another version, no entry, an unknown split, a family in two splits.
[[nodiscard]] Result<Corpus> read_corpus(const std::filesystem::path& path);

/// One model on one platform, ready to be sampled. Stays where it is: problems point to costs.
struct Instance {
    std::string name, platform, family;
    std::string graph_fingerprint;
    Split split = Split::train;
    cost::StageProblem costs;
    mcm::ChipProblem problem, strict;
    mcm::policy::Features features;
};

/// `lift_memory`: drop the chips' memory limit where the parameters would fill more than 60 % of it all, so that every graph of a corpus
/// has legal assignments. Diagnostics: those of import, platform, freezing and features.
[[nodiscard]] Result<std::unique_ptr<Instance>> make_instance(const std::string& model, const std::string& platform, bool lift_memory);
/// Also: a graph with another fingerprint. `models`: the folder of the entries that are files.
[[nodiscard]] Result<std::unique_ptr<Instance>> make_instance(const CorpusEntry& entry, const std::string& platform,
                                                              const std::filesystem::path& models);

}  // namespace sluice::trainer
