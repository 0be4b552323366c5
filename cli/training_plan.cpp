#include <format>

#include "cli/comparing.hpp"
#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/progress.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "sluice/base/files.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/plan/training_plan.hpp"
#include "sluice/plan/validate.hpp"
#include "sluice/report/text.hpp"
#include "sluice/report/training_compare.hpp"
#include "sluice/report/training_text.hpp"
#include "sluice/simulate/training.hpp"

namespace sluice::cli {

namespace {

Result<std::string> text_of(const PreparedTraining& prepared, const plan::Plan& plan) {
    const cost::TrainingProblem& problem = prepared.frozen.problem;
    const auto partition = plan::training_partition_of(plan, prepared.model.graph, problem);
    if (!partition) return fail(partition.error());
    const auto program = solve::training_program_of(problem, *partition);
    if (!program) return fail(program.error());
    const auto simulated = simulate::simulate_training(*program, problem.interconnect, problem.structure.model == cost::StageModel::serial);
    const auto edges = cost::stage_edges(problem, *partition);
    return report::training_plan_text({.plan = &plan, .graph = &prepared.model.graph, .edges = edges, .bubble = simulated.bubble});
}

}  // namespace

std::string training_call(std::string_view verb, const Arguments& arguments) {
    const auto flag = [](std::string_view name, const std::optional<std::string>& value) {
        return value ? std::format(" {} {}", name, shell_word(*value)) : "";
    };
    return std::format("sluice {} {}{} --for training --batch {}{}{}{}", verb, shell_word(*arguments.model), flag("-p", arguments.platform),
                       *arguments.batch, arguments.micro_batch ? std::format(" --micro-batch {}", *arguments.micro_batch) : "",
                       flag("--optimizer", arguments.optimizer), flag("--costs", arguments.costs));
}

Result<PreparedTraining> prepare_training(Session& session, const OldPlan* old) {
    const Arguments& arguments = session.arguments;
    auto model = load_model(session);
    if (!model) return fail(std::move(model.error()));
    if (old)
        if (auto other = plan::other_model(old->plan, model->graph)) {
            other->kind = DiagnosticKind::input;
            return fail(*std::move(other));
        }
    auto platform = old && !arguments.platform ? Result<platform::Platform>(old->plan.platform) : choose_platform(arguments, model->graph);
    if (!platform) return fail(std::move(platform.error()));
    cost::TrainingOptions options{.mini_batch = *arguments.batch};
    if (arguments.optimizer) options.optimizer = cost::optimizer_of(*arguments.optimizer).value_or(options.optimizer);
    auto costs = read_costs(arguments);
    if (!costs) return fail(std::move(costs.error()));
    if (old && !*costs && !arguments.platform) *costs = old->plan.costs;
    auto frozen = cost::freeze_training(model->graph, *platform, options, *costs ? &**costs : nullptr);
    if (!frozen) return fail(with_labels(std::move(frozen.error()), model->graph));
    for (const std::string& warning : frozen->report.warnings) session.terminal.warn(warning);
    return PreparedTraining{std::move(*model), std::move(*platform), std::move(*frozen)};
}

PlannedTraining planned_training(const Session& session, const PreparedTraining& prepared, const solve::TrainingSolveOptions& options,
                                 solve::TrainingSolveResult result) {
    const Arguments& arguments = session.arguments;
    plan::Plan plan = solve::make_training_plan(prepared.model.graph, prepared.platform, prepared.frozen, options, result);
    if (options.planner.micro_batch) plan.options.emplace_back("micro-batch", std::to_string(*options.planner.micro_batch));
    if (arguments.schedule) plan.options.emplace_back("schedule", *arguments.schedule);
    if (arguments.recompute) plan.options.emplace_back("recompute", "everywhere");
    add_asked(arguments, plan);
    return {std::move(plan), std::move(result.bounds)};
}

std::filesystem::path bottleneck_certificate_path(const std::filesystem::path& path) {
    constexpr std::string_view kEnd = ".certificate";
    std::string stem = path.stem().string();
    if (stem.ends_with(kEnd)) stem.resize(stem.size() - kEnd.size());
    std::filesystem::path other = path;
    return other.replace_filename(stem + ".bottleneck.certificate.json");
}

Result<void> write_training(const PlannedTraining& planned, const std::filesystem::path& path) {
    if (planned.bounds.iteration)
        if (auto written = write_file(certificate_path(path), bound::to_json_text(*planned.bounds.iteration, true)); !written)
            return written;
    if (planned.bounds.bottleneck)
        if (auto written = write_file(bottleneck_certificate_path(path), bound::to_json_text(*planned.bounds.bottleneck, true)); !written)
            return written;
    return write_file(path, plan::to_json_text(planned.plan));
}

Result<Outcome> plan_training(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    std::optional<OldPlan> old;
    Arguments filled = arguments;
    if (arguments.from) {
        auto read = read_old_plan(*arguments.from, plan::kTraining);
        if (!read) return fail(std::move(read.error()));
        old = std::move(*read);
        filled = filled_from_training(arguments, old->plan);
    }
    if (auto checked = check_batch(filled.batch); !checked) return fail(std::move(checked.error()));
    Session as_before{filled, terminal, session.start};

    InterruptGuard interrupt(terminal);
    auto prepared = prepare_training(as_before, old ? &*old : nullptr);
    if (!prepared) return fail(std::move(prepared.error()));
    solve::TrainingSolveOptions options{.method = arguments.method.value_or(""),
                                        .planner = training_options(filled),
                                        .model = prepared->model.graph.fingerprint(),
                                        .gap = arguments.gap.value_or(0)};
    if (old) {
        auto start = start_of_training(as_before, *old, *prepared);
        if (!start) return fail(std::move(start.error()));
        options.start = std::move(*start);
    }
    Progress progress(session, "plan");
    auto result = solve::solve_training(prepared->frozen.problem, options, progress, limits_of(session, interrupt.token()));
    if (!result) return fail(with_labels(std::move(result.error()), prepared->model.graph));
    terminal.clear_line();
    show_warnings(session, result->bounds.warnings);
    show_warnings(session, result->found.warnings);
    PlannedTraining made = planned_training(as_before, *prepared, options, std::move(*result));
    plan::Plan& plan = made.plan;
    if (old) plan.options.emplace_back("from", old->fingerprint);
    plan.termination.seconds = session.seconds();

    const std::string model = shell_word(*arguments.model);
    if (arguments.output) {
        if (auto written = write_training(made, *arguments.output); !written) return fail(std::move(written.error()));
        terminal.say(std::format("wrote the plan to {}{}", *arguments.output,
                                 made.bounds.iteration ? " and its certificate to " + certificate_path(*arguments.output).string() : ""));
        if (made.bounds.iteration)
            terminal.hint(std::format("sluice verify {} {} {}", model, shell_word(*arguments.output),
                                      shell_word(certificate_path(*arguments.output).string())));
        terminal.hint(std::format("sluice simulate {} {} --trace trace.json", model, shell_word(*arguments.output)));
    } else if (!arguments.json) {
        terminal.hint(
            std::format("the same with `-o plan.json` keeps the plan; then `sluice simulate {} plan.json --trace trace.json`", model));
    }
    auto text = arguments.json ? plan::to_json_text(plan) : text_of(*prepared, plan);
    if (!text) return fail(std::move(text.error()));
    return outcome_of(session, plan, *std::move(text));
}

Result<Outcome> compare_training(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (auto checked = check_batch(arguments.batch); !checked) return fail(std::move(checked.error()));
    std::vector<const training::Planner*> planners;
    if (arguments.methods) {
        auto named = entries_of(*arguments.methods, &training::find_planner, training::planners());
        if (!named) return fail(std::move(named.error()));
        planners = std::move(*named);
    } else {
        for (const training::Planner& planner : training::planners()) planners.push_back(&planner);
    }
    InterruptGuard interrupt(terminal);
    auto prepared = prepare_training(session);
    if (!prepared) return fail(std::move(prepared.error()));
    const training::PlannerOptions options = training_options(arguments);
    if (auto checked = solve::check_training_options(prepared->frozen.problem, options); !checked) return fail(std::move(checked.error()));

    SilentObserver silent;
    auto bounds = solve::prove_training(prepared->frozen.problem, prepared->model.graph.fingerprint(), options.micro_batch, silent,
                                        limits_of_each(arguments, interrupt.token()));
    if (!bounds) return fail(with_labels(std::move(bounds.error()), prepared->model.graph));
    show_warnings(session, bounds->warnings);
    const auto bound = bounds->iteration ? std::optional(solve::claim_of(*bounds->iteration)) : std::nullopt;

    std::vector<solve::TrainingRow> rows;
    for (const training::Planner* planner : planners) {
        if (interrupt.token().stop_requested()) break;
        const std::string title = std::format("compare {}/{} {}", rows.size() + 1, planners.size(), planner->name);
        Progress progress(session, title);
        rows.push_back(solve::run_training_method(prepared->frozen.problem, *planner, options, progress,
                                                  limits_of_each(arguments, interrupt.token())));
        if (auto& failure = rows.back().failure) failure = with_labels(std::move(*failure), prepared->model.graph);
    }
    if (rows.size() < planners.size())
        terminal.say(std::format("{} of {} methods have a row; the others did not start", rows.size(), planners.size()));
    terminal.clear_line();

    const solve::TrainingRow* best = solve::best_of(rows);
    if (best != nullptr) terminal.hint(std::format("{} --method {} -o plan.json", training_call("plan", arguments), best->method));
    Outcome outcome{arguments.json
                        ? report::training_compare_json(rows)
                        : std::format("{} on {}: {}, mini-batches of {}, {} each\n\n", report::printable(prepared->model.graph.name()),
                                      report::printable(prepared->platform.name), report::counted(rows.size(), "method"),
                                      report::counted(static_cast<std::size_t>(*arguments.batch), "sample"), budget_text(arguments)) +
                              report::training_compare_text(rows, *arguments.batch, bound)};
    if (best != nullptr) return outcome;
    outcome.code = ExitCode::interrupted;
    for (const solve::TrainingRow& row : rows)
        if (row.failure) {
            terminal.error(*row.failure);
            outcome.code = exit_code_of(row.failure->kind);
            break;
        }
    return outcome;
}

}  // namespace sluice::cli
