// Job 2 on the command line: what plan and compare do on a platform with chip rules.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/session.hpp"
#include "sluice/platform/platform.hpp"
#include "sluice/solve/chips.hpp"

namespace sluice::cli {

/// -p where it has chip rules and the job is inference; nothing else. Diagnostics: the platform's own; flags that no plan for chips has.
enum class ChipMethods { planners, any };  // what --method names
[[nodiscard]] Result<std::optional<platform::Platform>> chip_platform(const Arguments& arguments,
                                                                      ChipMethods methods = ChipMethods::planners);

[[nodiscard]] Result<Outcome> plan_chips(Session& session, const platform::Platform& platform);
[[nodiscard]] Result<Outcome> compare_chips(Session& session, const platform::Platform& platform);

struct OpenPlan;
/// A plan for chips under the judge.
[[nodiscard]] Result<Outcome> simulate_chips(Session& session, const OpenPlan& opened);

struct CommandJudgeOptions {
    std::string command;  // run by /bin/sh with the plan file as its last word
    std::chrono::seconds patience{60};
    bool recompute = true;  // as the plan will be finished
    std::stop_token stop = {};
};
/// A judge that writes each candidate as a finished plan file and asks a command, which prints one JSON object:
///   {"throughput_per_s": 123.4}, with "chip_times_ps": [...] (busy time of each chip for one input) and "latency_ps" where it knows them;
///   {"fits": false, "why": "..."}, with "chip": 3 where it knows, for what does not compile or run.
/// Diagnostics of a verdict: a command that cannot be started, fails, is silent for longer than `patience`, or prints something else.
/// What it refers to outlives it.
[[nodiscard]] mcm::MakeJudge command_judge(const graph::Graph& model, const platform::Platform& platform,
                                           const cost::MeasuredCosts* measured, CommandJudgeOptions options);

}  // namespace sluice::cli
