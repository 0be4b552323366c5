#include "sluice/mcm/judge/find_judge.hpp"

#include <array>
#include <format>

#include "sluice/mcm/judge/event_judge.hpp"

namespace sluice::mcm {

Result<MakeJudge> find_judge(std::string_view name, const platform::Platform& platform, const FindJudgeOptions& options) {
    if (name == kPlanner)
        return [](const graph::Graph&, const ChipProblem& problem) -> Result<std::unique_ptr<Judge>> {
            return std::make_unique<AnalyticJudge>(problem);
        };
    if (name == kSimulator)
        return [&platform](const graph::Graph& graph, const ChipProblem& problem) -> Result<std::unique_ptr<Judge>> {
            auto judge = event_judge(graph, problem, platform);
            if (!judge) return fail(std::move(judge.error()));
            return std::unique_ptr<Judge>(*std::move(judge));
        };
    constexpr std::array kNames{kPlanner, kSimulator};
    Diagnostic unknown = usage_error(std::format("unknown judge '{}'", name));
    if (const auto near = nearest_match(name, kNames); !near.empty())
        unknown.help = std::format("did you mean '{}'?", near);
    else
        unknown.help = options.or_command ? "planner, simulator, or a command" : "planner or simulator";
    return fail(std::move(unknown));
}

}  // namespace sluice::mcm
