// From an open plan to ranks at work: stages exported, the program lowered, predicted and launched; what run and demo share.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>

#include "cli/open_plan.hpp"
#include "cli/session.hpp"
#include "sluice/onnx/manifest.hpp"
#include "sluice/program/program.hpp"
#include "sluice/report/run_text.hpp"
#include "sluice/runtime/launch.hpp"

namespace sluice::cli {

/// What can be launched: a program and the folder of its stage models.
struct Runnable {
    program::Program program;
    std::filesystem::path stages;
    onnx::Manifest manifest;
};

/// The plan itself, exported to `folder` from `model` (a file whose weights are there).
[[nodiscard]] Result<Runnable> make_runnable(const OpenPlan& opened, const std::filesystem::path& model,
                                             const std::filesystem::path& folder, const std::stop_token& stop);
/// The whole model as one stage on so many replicas, whatever the platform's memory and devices are.
[[nodiscard]] Result<Runnable> make_whole(const OpenPlan& opened, const std::filesystem::path& model, const std::filesystem::path& folder,
                                          const std::stop_token& stop);
[[nodiscard]] Result<program::Program> program_of_whole(const OpenPlan& opened, std::int64_t replicas);

/// A job with the program and folder of `runnable`, everything else as `settings` has it.
[[nodiscard]] runtime::Job job_of(const Runnable& runnable, runtime::Job settings);

/// Launches; the live line shows rate and utilisation under `title`.
[[nodiscard]] Result<runtime::LaunchResult> launch_live(Session& session, const std::string& title, const runtime::Job& job,
                                                        runtime::LaunchOptions options);

/// Runs `whole` on the inputs of `settings` (a count) into `reference`, which is gone afterwards, and holds it against the pipeline's
/// outputs.
[[nodiscard]] Result<report::RunCheck> compare_with_whole(Session& session, const Runnable& whole, runtime::Job settings,
                                                          const std::filesystem::path& outputs, const std::filesystem::path& reference,
                                                          const runtime::LaunchOptions& options);

/// The predicted steady throughput and latency of the plan's platform, and the run's own numbers. `processors`: for ranks on this host.
[[nodiscard]] Result<report::RunView> view_of(const OpenPlan& opened, const runtime::Job& job, const runtime::LaunchResult& result,
                                              std::optional<int> processors, const std::stop_token& stop);
/// A rival's row: throughput, latency, and whether its cores were free.
[[nodiscard]] report::RunRival rival_of(std::string name, std::string what, const runtime::Job& job, const runtime::LaunchResult& result,
                                        std::optional<int> processors);

}  // namespace sluice::cli
