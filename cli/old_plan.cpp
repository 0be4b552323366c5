#include "cli/old_plan.hpp"

#include <algorithm>
#include <format>

#include "cli/terminal.hpp"
#include "sluice/base/files.hpp"
#include "sluice/plan/adapt.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

Result<OldPlan> read_old_plan(const std::string& path, std::string_view job) {
    auto text = read_file(path);
    if (!text) return fail(std::move(text.error()));
    auto document = json::parse(*text, path);
    if (!document) return fail(std::move(document.error()));
    auto plan = plan::read_plan(*document);
    if (!plan) return fail(std::move(plan.error()));
    if (plan->job != job)
        return fail(input_error(std::format("'{}' is a plan for {}; one for {} is needed", path, plan->job, job))
                        .fix(plan->training ? "add --for training" : "leave --for training out"));
    if (!plan->rewrites.empty())
        return fail(input_error(std::format("'{}' rests on {} of the model, and what is planned here is the model as it is", path,
                                            report::counted(plan->rewrites.size(), "rewrite")))
                        .fix("plan without it"));
    return OldPlan{std::move(*plan), fingerprint_of(*text)};
}

Arguments filled_from(const Arguments& arguments, const plan::Plan& plan) {
    Arguments filled = arguments;
    for (const auto& dimension : plan.model.dimensions)
        if (!std::ranges::contains(filled.dimensions, dimension.first, &std::pair<std::string, std::int64_t>::first))
            filled.dimensions.push_back(dimension);
    if (!filled.assume_size) filled.assume_size = plan.model.assume_size;
    if (!filled.stages) filled.stages = plan.stage_limit;
    if (!filled.objective) filled.objective = std::string(to_text(plan.objective));
    if (!filled.replicas && !plan.stages.empty())
        filled.replicas = std::max<std::int64_t>(1, std::ranges::max(plan.stages, {}, &plan::PlannedStage::replicas).replicas);
    return filled;
}

Result<Prepared> prepare_like(Session& session, const plan::Plan& plan) {
    const Arguments& arguments = session.arguments;
    auto model = load_model(session);
    if (!model) return fail(std::move(model.error()));
    auto platform = arguments.platform ? platform::load_platform(*arguments.platform) : Result<platform::Platform>(plan.platform);
    if (!platform) return fail(std::move(platform.error()));
    auto costs = read_costs(arguments);
    if (!costs) return fail(std::move(costs.error()));
    if (!*costs && plan.costs && !arguments.platform) {
        if (plan.model.fingerprint == model->graph.fingerprint())
            *costs = plan.costs;
        else
            session.terminal.say("the plan's measured times are of the model as it was, and are left out; --costs gives others");
    }
    return prepare(session, std::move(*model), std::move(*platform), arguments.stages, *costs ? &**costs : nullptr,
                   arguments.replicas.value_or(1));
}

std::optional<Start> start_of(Session& session, const OldPlan& old, const Prepared& prepared) {
    const cost::StageProblem& problem = prepared.frozen.problem;
    plan::Adapted adapted =
        plan::adapt(old.plan, prepared.model.graph, problem, {.stages = prepared.stages, .max_replicas = prepared.replicas});
    const std::string what = std::format("{} matched, {} moved, {} new, {} gone", report::counted(adapted.matched, "operator"),
                                         report::grouped(adapted.moved), report::grouped(adapted.added), report::grouped(adapted.gone));
    Terminal& terminal = session.terminal;
    if (adapted.matched == 0) {
        terminal.warn(std::format("nothing of {} is in this model ({}): planning starts without it", *session.arguments.from, what));
        return std::nullopt;
    }
    if (!adapted.faults.empty()) {
        const Diagnostic fault = with_labels(std::move(adapted.faults.front()), prepared.model.graph);
        terminal.warn(
            std::format("{} does not hold here ({}), and planning starts without it: {}", *session.arguments.from, what, fault.message));
        for (const std::string& note : fault.notes) terminal.say(note);
        return std::nullopt;
    }
    const solve::SolveOptions options = solve_options(session, prepared);
    terminal.say(std::format("from {}: {}; {}, {}", *session.arguments.from, what,
                             report::counted(adapted.partition.stages.size(), "stage"),
                             to_text(objective_value(cost::price(problem, adapted.partition), options.objective))));
    return Start{std::move(adapted.partition), old.fingerprint};
}

}  // namespace sluice::cli
