#include <unistd.h>

#include <cstdlib>
#include <format>
#include <nlohmann/json.hpp>

#include "cli/machine.hpp"
#include "cli/planning.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/files.hpp"
#include "sluice/base/json.hpp"
#include "sluice/base/observer.hpp"
#include "sluice/cli_versions.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/text.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/runtime/worker_check.hpp"

namespace sluice::cli {

namespace {

namespace fs = std::filesystem;

/// Empty when all is well.
struct Checks {
    std::vector<Diagnostic> failures;
    std::string self_test, cache;
};

/// What runs stages. A build without the worker is whole, and cannot run or profile.
struct WorkerCheck {
    std::optional<fs::path> worker;
    std::optional<runtime::WorkerVersions> versions;
    std::optional<double> loopback_seconds;
};

/// Zoo, import, platform, freeze, plan, bound and verification on the smallest chain.
Result<std::string> self_test() {
    auto model = onnx::load_model("zoo:chain", {});
    if (!model) return fail(std::move(model.error()));
    auto platform = platform::load_platform("asic-16");
    if (!platform) return fail(std::move(platform.error()));
    constexpr std::int64_t kStages = 2;
    auto frozen = cost::freeze(model->graph, *platform, kStages);
    if (!frozen) return fail(std::move(frozen.error()));
    solve::SolveOptions options;
    options.stages = kStages;
    options.model = model->graph.fingerprint();
    SilentObserver silent;
    Limits limits;
    limits.evaluations = 8;
    auto result = solve::solve(frozen->problem, options, silent, limits);
    if (!result) return fail(std::move(result.error()));
    const plan::Plan plan = solve::make_plan(model->graph, *platform, *frozen, options, *result);
    auto report = solve::verify(model->graph, plan, &result->certificate);
    if (!report.valid) return fail(std::move(report.failures.front()));
    return std::format("a chain in {}: plan and certificate verified, gap {}", report::counted(plan.stages.size(), "stage"),
                       report::percent(gap_of(objective_value(plan), result->certificate.value)));
}

Result<std::string> check_cache() {
    const auto folder = cache_folder();
    if (!folder) return fail(input_error("no cache folder: neither XDG_CACHE_HOME nor HOME is set").fix("set XDG_CACHE_HOME"));
    std::error_code error;
    fs::create_directories(*folder, error);
    const fs::path probe = *folder / std::format("doctor.{}", ::getpid());
    if (auto written = write_file(probe, "probe\n"); !written) return fail(std::move(written.error()));
    fs::remove(probe, error);
    return folder->string();
}

WorkerCheck check_worker(std::vector<Diagnostic>& failures) {
    WorkerCheck check;
    const auto worker = runtime::find_worker();
    if (!worker) {
        // Named and absent is a mistake of somebody's; merely absent is a choice.
        if (std::getenv("SLUICE_WORKER") != nullptr) failures.push_back(worker.error());
        return check;
    }
    check.worker = *worker;
    if (auto versions = runtime::worker_versions(*worker)) {
        check.versions = *std::move(versions);
    } else {
        failures.push_back(std::move(versions.error()));
        return check;
    }
    if (auto seconds = runtime::check_loopback(*worker))
        check.loopback_seconds = *seconds;
    else
        failures.push_back(std::move(seconds.error()));
    return check;
}

nlohmann::ordered_json json_of(const WorkerCheck& check) {
    if (!check.worker) return nullptr;
    nlohmann::ordered_json out{
        {"worker", check.worker->string()}, {"onnxruntime", nullptr}, {"mpi", nullptr}, {"loopback_seconds", nullptr}};
    if (check.versions) {
        out["onnxruntime"] = check.versions->onnxruntime;
        out["mpi"] = check.versions->mpi;
    }
    if (check.loopback_seconds) out["loopback_seconds"] = *check.loopback_seconds;
    return out;
}

void add_facts(const WorkerCheck& check, std::vector<std::pair<std::string, std::string>>& facts) {
    if (!check.worker) {
        facts.emplace_back("worker", "not there: sluice run and profile need it (-DSLUICE_WORKER=ON)");
        return;
    }
    facts.emplace_back("worker", check.worker->string());
    facts.emplace_back("onnxruntime", check.versions ? check.versions->onnxruntime : "FAILED");
    facts.emplace_back("mpi", check.versions ? check.versions->mpi : "FAILED");
    facts.emplace_back("loopback", check.loopback_seconds
                                       ? std::format("2 ranks, 1 MiB there and back in {:.2f} ms", *check.loopback_seconds * 1e3)
                                       : "FAILED");
}

bool on_path(std::string_view program) {
    const char* path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "";
    while (!rest.empty()) {
        const std::size_t colon = std::min(rest.find(':'), rest.size());
        if (colon > 0 && ::access((fs::path(rest.substr(0, colon)) / program).c_str(), X_OK) == 0) return true;
        rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    return false;
}

}  // namespace

Result<Outcome> run_doctor(Session& session) {
    const Machine machine = this_machine();
    Checks checks;
    const auto note = [&](Result<std::string> result, std::string& text) {
        if (result)
            text = std::move(*result);
        else
            checks.failures.push_back(std::move(result.error()));
    };
    note(self_test(), checks.self_test);
    note(check_cache(), checks.cache);
    const WorkerCheck worker = check_worker(checks.failures);
    for (const Diagnostic& failure : checks.failures) session.terminal.error(failure);
    const ExitCode code = checks.failures.empty() ? ExitCode::done : exit_code_of(checks.failures.front().kind);

    if (session.arguments.json) {
        nlohmann::ordered_json libraries = nlohmann::ordered_json::object();
        for (const auto& [name, version] : kLibraries) libraries[std::string(name)] = version;
        nlohmann::ordered_json out{{"version", kVersion},
                                   {"compiler", kCompiler},
                                   {"build_type", kBuildType},
                                   {"libraries", std::move(libraries)},
                                   {"processor", machine.processor},
                                   {"processors", machine.processors},
                                   {"processors_allowed", machine.allowed},
                                   {"processor_quota", nullptr},
                                   {"threads", default_threads()},
                                   {"memory_bytes", machine.memory.count},
                                   {"memory_limit_bytes", nullptr},
                                   {"cache", checks.cache},
                                   {"self_test", checks.self_test},
                                   {"runtime", json_of(worker)},
                                   {"healthy", checks.failures.empty()}};
        if (machine.processor_quota) out["processor_quota"] = *machine.processor_quota;
        if (machine.memory_limit) out["memory_limit_bytes"] = machine.memory_limit->count;
        return Outcome{json::to_file_text(out), code};
    }
    std::vector<std::pair<std::string, std::string>> facts{{"sluice", std::format("{} ({}, {})", kVersion, kBuildType, kCompiler)}};
    for (const auto& [name, version] : kLibraries) facts.emplace_back(name, version.empty() ? "version unknown" : version);
    const std::string quota = machine.processor_quota ? std::format(", {:.2g} by cgroup quota", *machine.processor_quota) : "";
    facts.emplace_back("processors", std::format("{} ({} allowed{}); {} by default", machine.processors, machine.allowed, quota,
                                                 report::counted(static_cast<std::size_t>(default_threads()), "thread")));
    facts.emplace_back("processor", machine.processor);
    facts.emplace_back(
        "memory", to_text(machine.memory) + (machine.memory_limit ? std::format(", {} by cgroup", to_text(*machine.memory_limit)) : ""));
    facts.emplace_back("man", on_path("man") ? "found: sluice --man | man -l -" : "not found (only to read the manual page with)");
    add_facts(worker, facts);
    facts.emplace_back("cache", checks.cache.empty() ? "FAILED" : checks.cache + ", writable");
    facts.emplace_back("self-test", checks.self_test.empty() ? "FAILED" : checks.self_test);
    return Outcome{report::facts_text(facts), code};
}

}  // namespace sluice::cli
