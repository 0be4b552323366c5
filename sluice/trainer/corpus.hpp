// What a policy is trained and tried on: `sluice.corpus/1`, models by name with their family, split by family so that no relative of a test
// graph is trained on, each with the identity of the graph that it must make. And what training needs of one model on one platform.
// Deterministic.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/trainer/instance.hpp"

namespace sluice::trainer {

inline constexpr std::string_view kCorpusFormat = "sluice.corpus/1";

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

/// On `platform`; with lift_memory and rewrites, as a corpus is trained on. Diagnostics: also a graph with another fingerprint. `models`:
/// the folder of the entries that are files.
[[nodiscard]] Result<std::unique_ptr<Instance>> make_instance(const CorpusEntry& entry, const std::string& platform,
                                                              const std::filesystem::path& models);

}  // namespace sluice::trainer
