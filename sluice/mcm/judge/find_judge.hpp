// Judges by name, for whoever plans, learns or tries a policy.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "sluice/graph/graph.hpp"
#include "sluice/mcm/judge/judge.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::mcm {

inline constexpr std::string_view kSimulator = "simulator", kPlanner = "planner";

/// The judge of a problem on a graph that is the model, or was rewritten from it; both outlive the judge.
using MakeJudge = std::function<Result<std::unique_ptr<Judge>>(const graph::Graph&, const ChipProblem&)>;

struct FindJudgeOptions {
    bool or_command = false;  // whoever asks takes a command too: the help of an unknown name says so
};
/// The event simulator's, or the planners' own cost. `platform` outlives what is made. Usage Diagnostic with the nearest match; what is
/// found fails where an operator fits no chip (event_judge).
[[nodiscard]] Result<MakeJudge> find_judge(std::string_view name, const platform::Platform& platform, const FindJudgeOptions& options = {});

}  // namespace sluice::mcm
