#include "sluice/trainer/corpus.hpp"

#include <algorithm>
#include <cassert>
#include <format>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "sluice/base/json.hpp"
#include "sluice/trainer/default_corpus.hpp"

namespace sluice::trainer {

namespace {

Result<CorpusEntry> read_entry(const json::Node& node) {
    if (auto keys = node.expect_keys({"model", "file", "family", "split", "kind", "fingerprint"}); !keys) return fail(keys.error());
    CorpusEntry entry;
    const auto text = [&](std::string_view key, std::string& to, bool required) -> Result<void> {
        if (!required && node.find(key) == nullptr) return {};
        const auto member = node.get(key);
        if (!member) return fail(member.error());
        auto value = (*member)->as_string();
        if (!value) return fail(value.error());
        to = *std::move(value);
        return {};
    };
    entry.file = node.find("file") != nullptr;
    std::string split;
    for (const auto& [key, to, required] :
         {std::tuple<std::string_view, std::string*, bool>{entry.file ? "file" : "model", &entry.model, true},
          {"family", &entry.family, true},
          {"split", &split, true},
          {"kind", &entry.kind, false},
          {"fingerprint", &entry.fingerprint, false}})
        if (auto read = text(key, *to, required); !read) return fail(read.error());
    for (const Split value : {Split::train, Split::validation, Split::test})
        if (split == to_text(value)) {
            entry.split = value;
            return entry;
        }
    return fail(input_error(std::format("split '{}' is none of train, validation, test", split)).at(node.where()));
}

Result<Corpus> parse_corpus(const json::Node& document, std::string name) {
    if (auto format = document.expect_format(kCorpusFormat); !format) return fail(format.error());
    if (auto keys = document.expect_keys({"format", "platforms", "graphs"}); !keys) return fail(keys.error());
    Corpus corpus{.name = std::move(name), .platforms = {}, .entries = {}};
    std::map<std::string, Split> split_of;
    const auto list = [&](std::string_view key) -> Result<const json::Array*> {
        const auto member = document.get(key);
        if (!member) return fail(member.error());
        return (*member)->as_array();
    };
    const auto platforms = list("platforms"), graphs = list("graphs");
    if (!platforms) return fail(platforms.error());
    if (!graphs) return fail(graphs.error());
    for (const json::Node& node : **platforms) {
        auto value = node.as_string();
        if (!value) return fail(value.error());
        corpus.platforms.push_back(*std::move(value));
    }
    for (const json::Node& node : **graphs) {
        auto entry = read_entry(node);
        if (!entry) return fail(entry.error());
        if (const auto [known, fresh] = split_of.emplace(entry->family, entry->split); !fresh && known->second != entry->split)
            return fail(input_error(std::format("family '{}' is in two splits, {} and {}", entry->family, to_text(known->second),
                                                to_text(entry->split)))
                            .at(node.where())
                            .note("what is tried must not be related to what was trained on"));
        corpus.entries.push_back(*std::move(entry));
    }
    if (corpus.entries.empty() || corpus.platforms.empty())
        return fail(input_error("the corpus has no graphs, or no platforms").at(document.where()));
    return corpus;
}

Result<Corpus> folder(const std::filesystem::path& path) {
    Corpus corpus{.name = path.string(), .platforms = {"mcm-36", "mcm-36:devices=16", "mcm-36:devices=8"}, .entries = {}};
    std::vector<std::filesystem::path> files;
    std::error_code error;
    for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.ends_with(".onnx") || name.ends_with(".onnx.gz") || name.ends_with(".json")) files.push_back(it->path());
    }
    if (error) return fail(input_error(std::format("cannot read the folder: {}", error.message())).at({path.string(), 0, 0}));
    std::ranges::sort(files);
    for (std::size_t i = 0; i < files.size(); ++i)
        corpus.entries.push_back({.model = files[i].string(),
                                  .file = false,
                                  .family = files[i].filename().string(),
                                  .split = i % 5 == 4 ? Split::validation : Split::train,
                                  .kind = {},
                                  .fingerprint = {}});
    if (corpus.entries.empty())
        return fail(input_error("the folder has no model files").at({path.string(), 0, 0}).fix("models end in .onnx, .onnx.gz or .json"));
    return corpus;
}

}  // namespace

const Corpus& default_corpus() {
    static const Corpus corpus = [] {
        const auto document = json::parse(kDefaultCorpus, "the default corpus");
        assert(document);
        auto parsed = parse_corpus(*document, "default");
        assert(parsed);
        return *std::move(parsed);
    }();
    return corpus;
}

Result<Corpus> read_corpus(const std::filesystem::path& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return folder(path);
    const auto document = json::parse_file(path);
    if (!document) return fail(document.error());
    return parse_corpus(*document, path.string());
}

Result<std::unique_ptr<Instance>> make_instance(const CorpusEntry& entry, const std::string& platform,
                                                const std::filesystem::path& models) {
    auto instance = make_instance(entry.file ? (models / entry.model).string() : entry.model, platform,
                                  {.lift_memory = true, .rewrites = true}, entry.fingerprint);
    if (!instance) {
        Diagnostic diagnostic = std::move(instance.error());
        diagnostic.notes.push_back(std::format("graph '{}' of the corpus, on {}", entry.model, platform));
        return fail(std::move(diagnostic));
    }
    (*instance)->family = entry.family;
    (*instance)->split = entry.split;
    return instance;
}

}  // namespace sluice::trainer
