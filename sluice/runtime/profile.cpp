#include "sluice/runtime/profile.hpp"

#include <cstring>
#include <format>
#include <nlohmann/json.hpp>

#include "sluice/runtime/child.hpp"
#include "sluice/runtime/fields.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::runtime {

namespace {

using nlohmann::ordered_json;

RawKernel read_kernel(const json::Node& node, std::optional<Diagnostic>& fault) {
    const Fields fields(node, {"name", "op_type", "domain", "inputs", "outputs", "min_us", "median_us", "runs"}, fault);
    return {.name = fields.text("name"),
            .op_type = fields.text("op_type"),
            .domain = fields.text("domain"),
            .inputs = fields.texts("inputs"),
            .outputs = fields.texts("outputs"),
            .min_us = fields.number("min_us"),
            .median_us = fields.number("median_us"),
            .runs = fields.count("runs")};
}

/// The worker says `sluice-worker: error: …` as its last words; what a library printed before may explain a crash.
std::vector<std::string> last_lines(std::string_view text, std::size_t most) {
    std::vector<std::string> lines;
    while (!text.empty() && lines.size() < most) {
        while (text.ends_with('\n')) text.remove_suffix(1);
        const std::size_t start = text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n') + 1;
        if (!text.substr(start).empty()) lines.insert(lines.begin(), std::string(text.substr(start)));
        text = text.substr(0, start);
    }
    return lines;
}

Diagnostic refused(const std::filesystem::path& model, const ChildResult& child) {
    Diagnostic diagnostic = input_error("");
    std::vector<std::string> lines = last_lines(child.err, 12);
    if (child.signal != 0) {
        diagnostic.kind = DiagnosticKind::internal;
        diagnostic.message = std::format("the worker that profiled '{}' was ended by signal {} ({})", model.string(), child.signal,
                                         ::strsignal(child.signal));
    } else {
        diagnostic.message = std::format("'{}' cannot be profiled", model.string());
    }
    for (std::string& line : lines) {
        std::string_view words = line;
        while (words.starts_with(' ')) words.remove_prefix(1);
        if (words.starts_with("help: "))
            diagnostic.help = words.substr(6);
        else if (words.starts_with("note: "))
            diagnostic.notes.emplace_back(words.substr(6));
        else
            diagnostic.notes.emplace_back(words.starts_with("error: ") ? words.substr(7) : words);
    }
    return diagnostic;
}

}  // namespace

std::string to_json_text(const RawProfile& profile) {
    ordered_json kernels = ordered_json::array();
    for (const RawKernel& kernel : profile.kernels)
        kernels.push_back({{"name", kernel.name},
                           {"op_type", kernel.op_type},
                           {"domain", kernel.domain},
                           {"inputs", kernel.inputs},
                           {"outputs", kernel.outputs},
                           {"min_us", kernel.min_us},
                           {"median_us", kernel.median_us},
                           {"runs", kernel.runs}});
    return json::to_file_text({{"format", kKernelsFormat},
                               {"library", profile.library},
                               {"processor", profile.processor},
                               {"threads", profile.threads},
                               {"optimisation", profile.optimisation},
                               {"runs", profile.runs},
                               {"whole_min_us", profile.whole_min_us},
                               {"whole_median_us", profile.whole_median_us},
                               {"whole_cpu_us", profile.whole_cpu_us},
                               {"profiled_min_us", profile.profiled_min_us},
                               {"profiled_median_us", profile.profiled_median_us},
                               {"kernels", std::move(kernels)}});
}

Result<RawProfile> read_raw_profile(const json::Node& document) {
    if (auto fine = document.expect_format(kKernelsFormat); !fine) return fail(std::move(fine.error()));
    std::optional<Diagnostic> fault;
    const Fields fields(document,
                        {"format", "library", "processor", "threads", "optimisation", "runs", "whole_min_us", "whole_median_us",
                         "whole_cpu_us", "profiled_min_us", "profiled_median_us", "kernels"},
                        fault);
    RawProfile profile{.kernels = {},
                       .whole_min_us = fields.number("whole_min_us"),
                       .whole_median_us = fields.number("whole_median_us"),
                       .profiled_min_us = fields.number("profiled_min_us"),
                       .profiled_median_us = fields.number("profiled_median_us"),
                       .whole_cpu_us = fields.number("whole_cpu_us"),
                       .runs = fields.count("runs"),
                       .threads = fields.count("threads"),
                       .optimisation = static_cast<int>(fields.count("optimisation")),
                       .library = fields.text("library"),
                       .processor = fields.text("processor")};
    if (const json::Array* kernels = fields.take(fields.at("kernels").as_array()))
        for (const json::Node& kernel : *kernels) profile.kernels.push_back(read_kernel(kernel, fault));
    if (fault) return fail(std::move(*fault));
    return profile;
}

Result<RawProfile> profile(const std::filesystem::path& model, const ProfileOptions& options) {
    const auto worker = find_worker(options.worker);
    if (!worker) return fail(worker.error());
    const auto folder = Scratch::make({}, "sluice-profile");
    if (!folder) return fail(folder.error());
    const std::filesystem::path out = folder->path() / "kernels.json";
    std::vector<std::string> words{*worker,
                                   "profile",
                                   model.string(),
                                   "--threads",
                                   std::to_string(options.threads),
                                   "--level",
                                   std::to_string(options.optimisation),
                                   "--runs",
                                   std::to_string(options.runs),
                                   "--warm-up",
                                   std::to_string(options.warm_up),
                                   "--scratch",
                                   folder->path().string(),
                                   "--json",
                                   out.string()};
    for (const auto& [name, size] : options.dimensions) {
        words.emplace_back("--dim");
        words.push_back(std::format("{}={}", name, size));
    }
    for (const auto& [name, shape] : options.shapes) {
        words.emplace_back("--shape");
        std::string sizes;
        for (const std::int64_t size : shape) sizes += std::format("{}{}", sizes.empty() ? "" : "x", size);
        words.push_back(name + "=" + sizes);
    }
    const auto child = run_child(words, options.stop);
    if (!child) return fail(child.error());
    if (child->stopped || options.stop.stop_requested())
        return fail({DiagnosticKind::stopped, std::format("stopped while profiling '{}'", model.string()), {}, {}, {}});
    if (child->signal != 0 || child->exit_code != 0) return fail(refused(model, *child));
    const auto document = json::parse_file(out);
    if (!document) return fail(document.error());
    return read_raw_profile(*document);
}

}  // namespace sluice::runtime
