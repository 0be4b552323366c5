#include <algorithm>
#include <format>
#include <memory>

#include "cli/chips.hpp"
#include "cli/comparing.hpp"
#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/progress.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "sluice/mcm/policy/policy_file.hpp"
#include "sluice/mcm/registry.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/report/chips_text.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {

/// What a call asks for; refers to platform, model and measured costs where the judge is a command.
Result<solve::ChipSolveOptions> chip_options(const Arguments& arguments, const platform::Platform& platform, const graph::Graph& model,
                                             const cost::MeasuredCosts* measured, std::stop_token stop) {
    solve::ChipSolveOptions options{.method = arguments.method.value_or(""),
                                    .chips = arguments.stages.value_or(0),
                                    .seed = static_cast<std::uint64_t>(arguments.seed.value_or(0)),
                                    .threads = threads_of(arguments),
                                    .gap = arguments.gap.value_or(0)};
    if (arguments.rewrites) {
        auto rewrites = solve::parse_rewrites(*arguments.rewrites);
        if (!rewrites) return fail(std::move(rewrites.error()));
        options.rewrites = *rewrites;
    }
    if (arguments.policy) {
        auto policy = mcm::policy::read_policy(*arguments.policy);
        if (!policy) return fail(std::move(policy.error()));
        options.policy = std::make_shared<const mcm::policy::Policy>(*std::move(policy));
    }
    if (!arguments.judge) return options;
    options.judge = *arguments.judge;
    if (options.judge == mcm::kSimulator || options.judge == mcm::kPlanner) return options;
    CommandJudgeOptions command{
        .command = options.judge, .recompute = options.rewrites.recompute && options.rewrites.relay, .stop = std::move(stop)};
    if (arguments.patience) command.patience = std::chrono::ceil<std::chrono::seconds>(*arguments.patience);
    options.make_judge = command_judge(model, platform, measured, std::move(command));
    return options;
}

constexpr std::string_view kPolicyMethod = "policy";

Diagnostic nobody_draws() {
    return usage_error("--policy is what method policy draws from, which is not asked for").fix("--method policy");
}

struct ChipModel {
    onnx::LoadedModel model;
    std::optional<cost::MeasuredCosts> costs;
    [[nodiscard]] const cost::MeasuredCosts* measured() const { return costs ? &*costs : nullptr; }
};
Result<ChipModel> load(Session& session) {
    auto model = load_model(session);
    if (!model) return fail(std::move(model.error()));
    auto costs = read_costs(session.arguments);
    if (!costs) return fail(std::move(costs.error()));
    return ChipModel{std::move(*model), std::move(*costs)};
}

}  // namespace

Result<std::optional<platform::Platform>> chip_platform(const Arguments& arguments, ChipMethods methods) {
    if (is_training(arguments)) return std::nullopt;
    std::optional<platform::Platform> platform;
    if (arguments.platform) {
        auto loaded = platform::load_platform(*arguments.platform);
        if (!loaded) return fail(std::move(loaded.error()));
        platform = *std::move(loaded);
    }
    if (!platform || !platform->chip_rules) {
        for (const auto& [given, flag] : {std::pair{arguments.judge.has_value(), "--judge"},
                                          {arguments.rewrites.has_value(), "--rewrites"},
                                          {arguments.policy.has_value(), "--policy"}})
            if (given)
                return fail(usage_error(std::format("{} is for chips on a ring alone", flag))
                                .fix("-p mcm-36, or another platform with chip rules"));
        return std::nullopt;
    }
    struct Misplaced {
        bool given;
        std::string_view flag, why;
    };
    for (const auto& [given, flag, why] :
         {Misplaced{arguments.replicas.has_value(), "--replicas", "a stage is one chip"},
          Misplaced{arguments.objective == "latency", "--objective latency", "chips are planned for throughput"},
          Misplaced{arguments.genetic.has_value(), "--genetic", "no method for chips takes it"},
          Misplaced{arguments.from.has_value(), "--from", "plans for chips are made anew"},
          Misplaced{arguments.bounds.has_value(), "--bounds", "what holds whatever is rewritten is tried in any case"}})
        if (given)
            return fail(usage_error(std::format("{} means nothing on '{}', whose devices are chips on a ring", flag, platform->name))
                            .note(std::string(why))
                            .fix("leave it out"));
    for (const auto& list : {arguments.method, arguments.methods})
        if (list && methods == ChipMethods::planners)
            if (auto named = entries_of(*list, &mcm::find_planner, mcm::planners()); !named) return fail(std::move(named.error()));
    return platform;
}

Result<Outcome> plan_chips(Session& session, const platform::Platform& platform) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (arguments.policy && arguments.method != kPolicyMethod) return fail(nobody_draws());
    InterruptGuard interrupt(terminal);
    auto loaded = load(session);
    if (!loaded) return fail(std::move(loaded.error()));
    const graph::Graph& model = loaded->model.graph;
    auto options = chip_options(arguments, platform, model, loaded->measured(), interrupt.token());
    if (!options) return fail(std::move(options.error()));
    Progress progress(session, "plan");
    auto result = solve::solve_chips(model, platform, loaded->measured(), *options, progress, limits_of(session, interrupt.token()));
    if (!result) return fail(with_labels(std::move(result.error()), model));
    terminal.clear_line();
    show_warnings(session, result->warnings);
    for (const std::string& warning : result->frozen.report.warnings) terminal.warn(warning);

    Planned planned{solve::make_chip_plan(platform, *options, *result), std::move(result->certificate), result->certified};
    plan::Plan& plan = planned.plan;
    add_asked(arguments, plan);
    plan.termination.seconds = session.seconds();
    if (auto kept = keep_planned(session, planned, "simulate", "plan.json --trace trace.json"); !kept) return fail(std::move(kept.error()));
    return outcome_of(session, plan, arguments.json ? plan::to_json_text(plan) : report::chips_plan_text(plan, *result));
}

Result<Outcome> compare_chips(Session& session, const platform::Platform& platform) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    std::vector<const mcm::Planner*> planners;
    if (arguments.methods) {
        auto named = entries_of(*arguments.methods, &mcm::find_planner, mcm::planners());
        if (!named) return fail(std::move(named.error()));
        planners = std::move(*named);
    } else {
        for (const mcm::Planner& planner : mcm::planners()) planners.push_back(&planner);
    }
    if (arguments.policy && !std::ranges::contains(planners, kPolicyMethod, &mcm::Planner::name)) return fail(nobody_draws());
    InterruptGuard interrupt(terminal);
    auto loaded = load(session);
    if (!loaded) return fail(std::move(loaded.error()));
    const graph::Graph& model = loaded->model.graph;
    auto options = chip_options(arguments, platform, model, loaded->measured(), interrupt.token());
    if (!options) return fail(std::move(options.error()));
    Progress preparing(session, "compare");
    const auto prepared = solve::prepare_chips(model, platform, loaded->measured(), options->chips, options->rewrites, preparing,
                                               limits_of_each(arguments, interrupt.token()));
    if (!prepared) return fail(with_labels(prepared.error(), model));
    show_warnings(session, (*prepared)->warnings);
    std::vector<report::ChipRow> rows;
    for (const mcm::Planner* planner : planners) {
        if (interrupt.token().stop_requested()) break;
        options->method = planner->name;
        const std::string title = std::format("compare {}/{} {}", rows.size() + 1, planners.size(), planner->name);
        Progress progress(session, title);
        auto result = solve::solve_chips(**prepared, *options, progress, limits_of_each(arguments, interrupt.token()));
        report::ChipRow row{.method = std::string(planner->name)};
        if (result) {
            row.plan = solve::make_chip_plan(platform, *options, *result);
            row.curve = std::move(result->curve);
            row.failed = result->failed;
            terminal.clear_line();
            for (Diagnostic& warning : result->warnings) warning.message = std::format("{}: {}", planner->name, warning.message);
            show_warnings(session, result->warnings);
        } else {
            row.failure = with_labels(std::move(result.error()), model);
        }
        rows.push_back(std::move(row));
    }
    // One bound for all of them, on the model's work; worth proving up to the best of them.
    std::optional<Duration> least;
    for (const report::ChipRow& row : rows)
        if (row.plan && (!least || row.plan->predicted.bottleneck < *least)) least = row.plan->predicted.bottleneck;
    if (least && !interrupt.token().stop_requested()) {
        Progress bounding(session, "compare: bound");
        const auto raised =
            solve::raise_bound(**prepared, *least, threads_of(arguments), bounding, limits_of_each(arguments, interrupt.token()));
        if (raised.certificate)
            for (report::ChipRow& row : rows)
                if (row.plan)
                    row.plan->bound = plan::BoundClaim{
                        .value = raised.certificate->value, .kind = std::string(raised.certificate->kind()), .certified = true};
        terminal.clear_line();
        show_warnings(session, raised.warnings);
    }
    if (rows.size() < planners.size())
        terminal.say(std::format("{} of {} methods have a row; the others did not start", rows.size(), planners.size()));
    terminal.clear_line();
    const report::ChipRow* best = report::best_of(rows);
    if (best != nullptr)
        terminal.hint(std::format("sluice plan {} -p {} --method {} -o plan.json", shell_word(*arguments.model),
                                  shell_word(*arguments.platform), best->method));
    Outcome outcome{arguments.json
                        ? report::chips_compare_json(rows)
                        : std::format("{} on {}: {}, {} each\n\n", report::printable(model.name()), report::printable(platform.name),
                                      report::counted(rows.size(), "method"), budget_text(arguments)) +
                              report::chips_compare_text(rows)};
    if (best != nullptr) return outcome;
    outcome.code = ExitCode::interrupted;
    for (const report::ChipRow& row : rows)
        if (row.failure) {
            terminal.error(*row.failure);
            outcome.code = exit_code_of(row.failure->kind);
            break;
        }
    return outcome;
}

}  // namespace sluice::cli
