// sluice-worker: runs stages, one rank of a job; measures a model; says which libraries it has. Started by sluice, seldom by hand.
#include <charconv>
#include <cstdio>
#include <format>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "sluice/base/files.hpp"
#include "sluice/runtime/worker/ort.hpp"
#include "sluice/runtime/worker/verbs.hpp"

namespace {

using namespace sluice;
using namespace sluice::runtime;

constexpr std::string_view kUsage =
    R"(usage: sluice-worker run JOB.json [--in-process]     one rank of a job, under mpirun (or all of them, as threads)
       sluice-worker profile MODEL.onnx --json OUT --scratch FOLDER [--threads N] [--level 0|1|2|99] [--runs R] [--warm-up W]
                                 [--dim NAME=SIZE]... [--shape INPUT=1x3x224x224]...
       sluice-worker versions                       libraries, as JSON
       sluice-worker loopback                       under mpirun -n 2: a message there and back, timed
)";

std::optional<std::int64_t> integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

Diagnostic bad_value(std::string_view flag, std::string_view value) {
    return usage_error(std::format("'{}' is no value for {}", value, flag)).fix("sluice-worker --help");
}

/// "NAME=1x3x224": the last '=' separates, since tensor names may hold one; nothing after it is a scalar.
std::optional<std::pair<std::string, std::vector<std::int64_t>>> named_sizes(std::string_view text) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    std::pair<std::string, std::vector<std::int64_t>> made{text.substr(0, equals), {}};
    for (std::string_view rest = text.substr(equals + 1); !rest.empty();) {
        const std::size_t cross = std::min(rest.find('x'), rest.size());
        const auto size = integer(rest.substr(0, cross));
        if (!size || *size < 0) return std::nullopt;
        made.second.push_back(*size);
        rest.remove_prefix(std::min(cross + 1, rest.size()));
    }
    return made;
}

Result<ProfileRun> parse_profile(std::span<const std::string> words) {
    ProfileRun run;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& flag = words[i];
        if (!flag.starts_with("--")) {
            if (!run.model.empty()) return fail(usage_error(std::format("one model, not '{}' and '{}'", run.model.string(), flag)));
            run.model = flag;
            continue;
        }
        if (i + 1 == words.size()) return fail(usage_error(std::format("{} needs a value", flag)).fix("sluice-worker --help"));
        const std::string& value = words[++i];
        if (flag == "--json") {
            run.json = value;
        } else if (flag == "--scratch") {
            run.scratch = value;
        } else if (flag == "--dim" || flag == "--shape") {
            auto sizes = named_sizes(value);
            if (!sizes || (flag == "--dim" && sizes->second.size() != 1)) return fail(bad_value(flag, value));
            if (flag == "--dim")
                run.options.dimensions.emplace_back(std::move(sizes->first), sizes->second.front());
            else
                run.options.shapes.push_back(*std::move(sizes));
        } else {
            const auto number = integer(value);
            const bool natural = number && *number >= (flag == "--level" || flag == "--warm-up" ? 0 : 1) && *number <= 1'000'000;
            if (!natural) return fail(bad_value(flag, value));
            if (flag == "--threads")
                run.options.threads = *number;
            else if (flag == "--level")
                run.options.optimisation = static_cast<int>(*number);
            else if (flag == "--runs")
                run.options.runs = *number;
            else if (flag == "--warm-up")
                run.options.warm_up = *number;
            else
                return fail(usage_error(std::format("unknown flag '{}'", flag)).fix("sluice-worker --help"));
        }
    }
    if (run.model.empty() || run.json.empty() || run.scratch.empty())
        return fail(usage_error("profile needs MODEL.onnx, --json and --scratch").fix("sluice-worker --help"));
    return run;
}

Result<void> profile_verb(std::span<const std::string> words) {
    const auto run = parse_profile(words);
    if (!run) return fail(run.error());
    const auto made = run_profile(*run);
    if (!made) return fail(made.error());
    return write_file(run->json, to_json_text(*made));
}

int report(const Diagnostic& diagnostic) {
    std::fputs(to_text(diagnostic).c_str(), stderr);
    return diagnostic.kind == DiagnosticKind::usage ? 2 : 1;
}

Result<void> run_verb(std::span<const std::string> words, const StopWatch& since_main) {
    JobRun run;
    for (const std::string& word : words) {
        if (word == "--in-process")
            run.in_process = true;
        else if (word.starts_with("--") || !run.job.empty())
            return fail(usage_error(std::format("unexpected '{}'", word)).fix("sluice-worker --help"));
        else
            run.job = word;
    }
    if (run.job.empty()) return fail(usage_error("run needs JOB.json").fix("sluice-worker --help"));
    run_job(run, since_main);
    return {};
}

Result<void> call(std::span<const std::string> words, const StopWatch& since_main) {
    if (words.empty()) return fail(usage_error("nothing to do").fix("sluice-worker --help"));
    if (words[0] == "run") return run_verb(words.subspan(1), since_main);
    if (words[0] == "versions") return write_file("-", versions_text());
    if (words[0] == "loopback") {
        const auto text = loopback();
        return text ? write_file("-", *text) : fail(text.error());
    }
    if (words[0] == "profile") return profile_verb(words.subspan(1));
    if (words[0] == "--help") return write_file("-", kUsage);
    return fail(usage_error(std::format("unknown verb '{}'", words[0])).fix("sluice-worker --help"));
}

}  // namespace

int main(int argc, char** argv) {
    const StopWatch since_main;
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto done = call(words, since_main);
    return done ? 0 : report(done.error());
}
