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
#include "sluice/report/text.hpp"
#include "sluice/report/training_compare.hpp"
#include "sluice/report/training_text.hpp"
#include "sluice/simulate/training.hpp"

namespace sluice::cli {

namespace {

struct PlannedTraining {
    plan::Plan plan;
    solve::TrainingBounds bounds;
};

Result<PlannedTraining> planned(Session& session, const PreparedTraining& prepared, Observer& observer, const Limits& limits) {
    const Arguments& arguments = session.arguments;
    solve::TrainingSolveOptions options{
        .method = arguments.method.value_or(""), .planner = training_options(arguments), .model = prepared.model.graph.fingerprint()};
    options.planner.threads = threads_of(arguments);
    auto result = solve::solve_training(prepared.frozen.problem, options, observer, limits);
    if (!result) return fail(with_labels(std::move(result.error()), prepared.model.graph));
    session.terminal.clear_line();
    show_warnings(session, result->bounds.warnings);
    show_warnings(session, result->found.warnings);
    plan::Plan plan = solve::make_training_plan(prepared.model.graph, prepared.platform, prepared.frozen, options, *result);
    plan.model.dimensions = arguments.dimensions;
    plan.model.assume_size = arguments.assume_size;
    if (arguments.micro_batch) plan.options.emplace_back("micro-batch", std::to_string(*arguments.micro_batch));
    if (arguments.schedule) plan.options.emplace_back("schedule", *arguments.schedule);
    if (arguments.recompute) plan.options.emplace_back("recompute", "everywhere");
    if (arguments.evaluations) plan.options.emplace_back("evals", std::to_string(*arguments.evaluations));
    plan.limit = limit_text(arguments, plan.termination);
    plan.termination.seconds = session.seconds();
    return PlannedTraining{std::move(plan), std::move(result->bounds)};
}

/// "plan.json" -> "plan.bottleneck.certificate.json"
std::filesystem::path bottleneck_certificate_path(const std::filesystem::path& plan) {
    std::filesystem::path path = plan;
    return path.replace_filename(plan.stem().string() + ".bottleneck.certificate.json");
}

/// The certificates first, so that a plan file never stands without them.
Result<void> write_all(const PlannedTraining& planned, const std::filesystem::path& path) {
    if (planned.bounds.iteration)
        if (auto written = write_file(certificate_path(path), bound::to_json_text(*planned.bounds.iteration, true)); !written)
            return written;
    if (planned.bounds.bottleneck)
        if (auto written = write_file(bottleneck_certificate_path(path), bound::to_json_text(*planned.bounds.bottleneck, true)); !written)
            return written;
    return write_file(path, plan::to_json_text(planned.plan));
}

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

/// "sluice plan MODEL -p PLATFORM --for training --batch N": what a hint begins with.
std::string call_of(const Arguments& arguments) {
    return std::format("sluice plan {}{} --for training --batch {}", shell_word(*arguments.model),
                       arguments.platform ? std::format(" -p {}", shell_word(*arguments.platform)) : "", *arguments.batch);
}

}  // namespace

Result<PreparedTraining> prepare_training(Session& session) {
    const Arguments& arguments = session.arguments;
    auto model = load_model(session);
    if (!model) return fail(std::move(model.error()));
    auto platform = choose_platform(arguments, model->graph);
    if (!platform) return fail(std::move(platform.error()));
    cost::TrainingOptions options{.mini_batch = *arguments.batch};
    if (arguments.optimizer) options.optimizer = cost::optimizer_of(*arguments.optimizer).value_or(options.optimizer);
    auto frozen = cost::freeze_training(model->graph, *platform, options);
    if (!frozen) return fail(with_labels(std::move(frozen.error()), model->graph));
    for (const std::string& warning : frozen->report.warnings) session.terminal.warn(warning);
    return PreparedTraining{std::move(*model), std::move(*platform), std::move(*frozen)};
}

Result<Outcome> plan_training(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (arguments.method)
        if (auto known = training::find_planner(*arguments.method); !known) return fail(std::move(known.error()));
    InterruptGuard interrupt(terminal);
    auto prepared = prepare_training(session);
    if (!prepared) return fail(std::move(prepared.error()));
    Progress progress(session, "plan");
    auto made = planned(session, *prepared, progress, limits_of(session, interrupt.token()));
    if (!made) return fail(std::move(made.error()));
    const plan::Plan& plan = made->plan;

    const std::string model = shell_word(*arguments.model);
    if (arguments.output) {
        if (auto written = write_all(*made, *arguments.output); !written) return fail(std::move(written.error()));
        terminal.say(std::format("wrote the plan to {}{}", *arguments.output,
                                 made->bounds.iteration ? " and its certificate to " + certificate_path(*arguments.output).string() : ""));
        if (made->bounds.iteration)
            terminal.hint(std::format("sluice verify {} {} {}", model, shell_word(*arguments.output),
                                      shell_word(certificate_path(*arguments.output).string())));
        terminal.hint(std::format("sluice simulate {} {} --trace trace.json", model, shell_word(*arguments.output)));
    } else if (!arguments.json) {
        terminal.hint(
            std::format("the same with `-o plan.json` keeps the plan; then `sluice simulate {} plan.json --trace trace.json`", model));
    }
    auto text = arguments.json ? plan::to_json_text(plan) : text_of(*prepared, plan);
    if (!text) return fail(std::move(text.error()));
    Outcome outcome{std::move(*text)};
    const double gap = plan.bound ? gap_of(objective_value(plan), plan.bound->value) : 1;
    if (arguments.require_gap && gap > *arguments.require_gap) {
        terminal.warn(std::format("the gap is {}, --require-gap asks for at most {}", plan.bound ? report::percent(gap) : "unknown",
                                  report::percent(*arguments.require_gap)));
        outcome.code = ExitCode::short_of_gap;
    }
    return outcome;
}

Result<Outcome> compare_training(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
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
    training::PlannerOptions options = training_options(arguments);
    options.threads = threads_of(arguments);
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
    if (best != nullptr) terminal.hint(std::format("{} --method {} -o plan.json", call_of(arguments), best->method));
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
