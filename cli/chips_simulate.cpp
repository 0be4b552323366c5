#include <format>
#include <nlohmann/json.hpp>

#include "cli/chips.hpp"
#include "cli/open_plan.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "sluice/mcm/judge/event_judge.hpp"
#include "sluice/report/ring_text.hpp"

namespace sluice::cli {

Result<Outcome> simulate_chips(Session& session, const OpenPlan& opened) {
    const Arguments& arguments = session.arguments;
    if (arguments.sharing && *arguments.sharing != "fifo")
        return fail(
            usage_error(std::format("--sharing {} means nothing here: the links of a ring are first in, first out", *arguments.sharing))
                .fix("leave it out"));
    auto problem = mcm::chip_problem(opened.model.graph, opened.frozen.problem, opened.plan.platform);
    if (!problem) return fail(std::move(problem.error()));
    auto judge = mcm::event_judge(opened.model.graph, *problem, opened.plan.platform);
    if (!judge) return fail(std::move(judge.error()));
    constexpr std::int64_t kTraced = 100;  // inputs
    const mcm::Assignment chips = solve::chip_assignment(opened.frozen.problem, opened.partition);
    auto detail = (*judge)->detail(chips, arguments.trace ? arguments.inputs.value_or(kTraced) : 0);
    if (!detail) return fail(std::move(detail.error()));
    if (detail->verdict.failure) return fail(std::move(detail->verdict.failure->why));
    if (arguments.trace)
        if (auto written = write_trace(session, {detail->names, detail->tracks, detail->tasks, {}}); !written)
            return fail(std::move(written.error()));
    return Outcome{arguments.json ? json::to_file_text(report::ring_json(opened.plan, *detail)) : report::ring_text(opened.plan, *detail)};
}

}  // namespace sluice::cli
