// What plan, bound, inspect, verify and demo share: from the words of the command line to a frozen problem, and from files to a verdict.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cli/session.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/onnx/weights.hpp"
#include "sluice/plan/plan.hpp"
#include "sluice/platform/platform.hpp"
#include "sluice/solve/solve.hpp"
#include "sluice/solve/verify.hpp"

namespace sluice::cli {

/// A problem ready to plan.
struct Prepared {
    onnx::LoadedModel model;
    platform::Platform platform;
    cost::FrozenProblem frozen;
    std::int64_t stages = 1;    // -k, or what the platform has; never above what the nodes to place can use
    std::int64_t replicas = 1;  // --replicas, never above `stages`
};

/// --dim and --assume-size.
[[nodiscard]] onnx::ImportOptions import_options(const Arguments& arguments);
/// --weights; without it the model's own file, and made-up ones for the zoo, which has no file.
[[nodiscard]] Result<onnx::WeightSource> weight_source(const Arguments& arguments);
/// The model alone, its import warnings shown.
[[nodiscard]] Result<onnx::LoadedModel> load_model(Session& session);
/// -p, else the workload's own devices, else `cpu`.
[[nodiscard]] Result<platform::Platform> choose_platform(const Arguments& arguments, const graph::Graph& graph);
/// --costs, or nothing.
[[nodiscard]] Result<std::optional<cost::MeasuredCosts>> read_costs(const Arguments& arguments);
/// Model, platform, measured costs and frozen problem; says when -k is above what can be filled.
[[nodiscard]] Result<Prepared> prepare(Session& session);
[[nodiscard]] Result<Prepared> prepare(Session& session, onnx::LoadedModel model, platform::Platform platform,
                                       std::optional<std::int64_t> stages, const cost::MeasuredCosts* costs = nullptr,
                                       std::int64_t replicas = 1);

/// --genetic
[[nodiscard]] Result<inference::GeneticShares> genetic_shares(const Arguments& arguments);
/// --threads, else the processors allowed.
[[nodiscard]] int threads_of(const Arguments& arguments);
[[nodiscard]] Limits limits_of(const Session& session, std::stop_token stop);
[[nodiscard]] solve::SolveOptions solve_options(const Session& session, const Prepared& prepared);
/// The limit that ended the work, in words: "--time 10 s".
[[nodiscard]] std::string limit_text(const Arguments& arguments, const Termination& termination);
/// Layers below the graph speak of "operator 5" or "operators 5, 7": notes say what these are called.
[[nodiscard]] Diagnostic with_labels(Diagnostic diagnostic, const graph::Graph& graph);
/// What the solver noticed, on stderr.
void show_warnings(Session& session, std::span<const Diagnostic> warnings);

/// A plan file's content: the result, and how this call asked for it.
[[nodiscard]] plan::Plan plan_of(const Session& session, const Prepared& prepared, const cost::FrozenProblem& frozen,
                                 const solve::SolveOptions& options, const solve::SolveResult& result);

/// solve::solve, and the plan file's content. The plan's seconds are those since the verb began.
struct Planned {
    plan::Plan plan;
    bound::Certificate certificate;
    bool certified = false;
};
/// `start` (--from): what the planners begin with, and the fingerprint of the file that it came from.
struct Start {
    cost::Partition partition;
    std::string fingerprint;
};
[[nodiscard]] Result<Planned> make_planned(Session& session, const Prepared& prepared, Observer& observer, const Limits& limits,
                                           std::optional<Start> start = {});

/// "plan.json" -> "plan.certificate.json"
[[nodiscard]] std::filesystem::path certificate_path(const std::filesystem::path& plan);
/// The certificate first, so that a plan file never stands without it.
[[nodiscard]] Result<void> write_planned(const Planned& planned, const std::filesystem::path& path);

struct Verdict {
    plan::Plan plan;
    std::string model;  // its name
    solve::VerifyReport report;
    Bytes certificate_bytes = {};  // of its file; 0 without one
};
/// From files alone; `certificate` may be empty. Fails when a file cannot be read as what it should be.
[[nodiscard]] Result<Verdict> verify_files(std::string_view model, const std::filesystem::path& plan,
                                           const std::filesystem::path& certificate);

/// What every plan file says of how it was asked for: dimensions, options that all jobs know, and the limit that ended the work.
void add_asked(const Arguments& arguments, plan::Plan& plan);

/// The end of `plan` for inference: writes what -o asks for and says how to go on. Where nothing is written, that is `verb`
/// MODEL `rest`.
[[nodiscard]] Result<void> keep_planned(Session& session, const Planned& planned, std::string_view verb, std::string_view rest);
/// The outcome with this text; --require-gap decides its exit code.
[[nodiscard]] Outcome outcome_of(Session& session, const plan::Plan& plan, std::string text);

/// Refuses, before any work, an output path that cannot be written: "-", a directory, a folder that is not there.
[[nodiscard]] Result<void> check_output(const std::optional<std::string>& path);
/// The folder of -o, made where it is not there.
[[nodiscard]] Result<void> make_folder(const std::string& path);

}  // namespace sluice::cli
