#include "sluice/runtime/worker_check.hpp"

#include <format>
#include <sstream>

#include "sluice/base/json.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/runtime/fields.hpp"
#include "sluice/runtime/mpirun.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::runtime {

namespace {

constexpr auto kPatience = std::chrono::seconds(30);

Diagnostic failed(std::string what, const ChildResult& child) {
    Diagnostic diagnostic = input_error(std::move(what));
    if (child.stopped) diagnostic.notes.push_back(std::format("it did not end within {} s", kPatience.count()));
    std::istringstream lines(child.err);
    for (std::string line; std::getline(lines, line) && diagnostic.notes.size() < 8;)
        if (!line.empty()) diagnostic.notes.push_back(line);
    return diagnostic;
}

}  // namespace

Result<WorkerVersions> worker_versions(const std::filesystem::path& worker) {
    const auto child = run_child({worker.string(), "versions"}, {}, kPatience);
    if (!child) return fail(child.error());
    if (child->exit_code != 0 || child->signal != 0) return fail(failed(std::format("'{}' cannot be run", worker.string()), *child));
    const auto document = json::parse(child->out, worker.string() + " versions");
    if (!document) return fail(document.error());
    std::optional<Diagnostic> fault;
    const Fields fields(*document, {"onnxruntime", "onnxruntime_providers", "mpi", "onnx"}, fault);
    WorkerVersions versions{fields.text("onnxruntime"), fields.text("mpi"), fields.text("onnx"), fields.texts("onnxruntime_providers")};
    if (fault) return fail(*std::move(fault));
    return versions;
}

Result<double> check_loopback(const std::filesystem::path& worker, const std::stop_token& stop) {
    const auto scratch = Scratch::make();
    if (!scratch) return fail(scratch.error());
    std::vector<std::string> words{"env", "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", scratch->environment()};
    std::vector<std::string> call = mpirun_words({.ranks = 2,
                                                  .worker = worker,
                                                  .job = {},
                                                  .hostfile = {},
                                                  .shared_memory = scratch->shared_memory(),
                                                  .several_hosts = false,
                                                  .further = {}});
    call.resize(call.size() - 2);  // "run JOB"
    words.insert(words.end(), call.begin(), call.end());
    words.emplace_back("loopback");
    const auto child = run_child(words, stop, kPatience);
    if (!child) return fail(child.error());
    const auto line = untag(child->out);
    const auto document = line ? json::parse(line->text, "loopback") : json::parse("", "loopback");
    if (child->exit_code != 0 || child->signal != 0 || !document) {
        scratch->end_processes();
        Diagnostic diagnostic = failed("two ranks on this host cannot exchange a message", *child);
        if (child->exit_code == 127) diagnostic.help = "install Open MPI (openmpi-bin): mpirun is not in PATH";
        return fail(std::move(diagnostic));
    }
    std::optional<Diagnostic> fault;
    const double seconds = Fields(*document, {"bytes", "seconds"}, fault).number("seconds");
    if (fault) return fail(*std::move(fault));
    return seconds;
}

}  // namespace sluice::runtime
