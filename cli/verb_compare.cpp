#include <algorithm>
#include <format>
#include <span>
#include <vector>

#include "cli/chips.hpp"
#include "cli/comparing.hpp"
#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/progress.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "cli/verbs.hpp"
#include "sluice/report/compare_text.hpp"
#include "sluice/report/text.hpp"
#include "sluice/solve/compare.hpp"

namespace sluice::cli {

namespace {

constexpr std::string_view kOpeningBound = "combinatorial";  // linear time, and the same help for every planner

}  // namespace

Result<Outcome> run_compare(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (auto meant = check_job(arguments); !meant) return fail(std::move(meant.error()));
    auto chips = chip_platform(arguments);
    if (!chips) return fail(std::move(chips.error()));
    if (*chips) return compare_chips(session, **chips);
    if (auto known = check_methods(arguments); !known) return fail(std::move(known.error()));
    if (is_training(arguments)) return compare_training(session);
    std::vector<const inference::Planner*> planners;
    if (arguments.methods) {
        auto named = entries_of(*arguments.methods, &inference::find_planner, inference::planners());
        if (!named) return fail(std::move(named.error()));
        planners = std::move(*named);
    }
    if (auto shares = genetic_shares(arguments); !shares) return fail(std::move(shares.error()));
    auto bounds = entries_of(arguments.bounds.value_or("auto"), &bound::find_bound, bound::bounds());
    if (!bounds) return fail(std::move(bounds.error()));

    InterruptGuard interrupt(terminal);
    auto prepared = prepare(session);
    if (!prepared) return fail(std::move(prepared.error()));
    const cost::StageProblem& problem = prepared->frozen.problem;
    if (planners.empty()) planners = solve::usual_methods(problem);
    const solve::SolveOptions options = solve_options(session, *prepared);
    const auto limits = [&] { return limits_of_each(arguments, interrupt.token()); };
    // Quick, and so not subject to any limit: every planner may know it, and there is a bound whatever comes.
    const auto opening = [&](std::optional<Duration> best) {
        SilentObserver silent;
        return solve::run_bound(problem, **bound::find_bound(kOpeningBound), options, best, silent, {});
    };
    const solve::BoundRow known = opening(std::nullopt);
    const auto proven = known.certified ? std::optional(known.certificate->value) : std::nullopt;

    std::vector<solve::MethodRow> rows;
    for (const inference::Planner* planner : planners) {
        if (interrupt.token().stop_requested()) break;
        const std::string title = std::format("compare {}/{} {}", rows.size() + 1, planners.size(), planner->name);
        Progress progress(session, title);
        rows.push_back(solve::run_method(problem, *planner, options, proven, progress, limits()));
        if (auto& failure = rows.back().failure) failure = with_labels(std::move(*failure), prepared->model.graph);
    }
    if (rows.size() < planners.size())
        terminal.say(std::format("{} of {} methods have a row; the others did not start", rows.size(), planners.size()));

    const solve::MethodRow* best = solve::best_of(rows, options.objective);
    std::vector<solve::BoundRow> proofs;
    for (const bound::Bound* bound : *bounds) {
        if (interrupt.token().stop_requested()) break;
        const std::string title = std::format("compare bound {}", bound->name);
        Progress progress(session, title);
        proofs.push_back(solve::run_bound(problem, *bound, options,
                                          best ? std::optional(cost::objective_value(best->cost, options.objective)) : std::nullopt,
                                          progress, limits()));
    }
    if (solve::best_of(proofs) == nullptr && known.certified) proofs.push_back(known);
    terminal.clear_line();
    if (best != nullptr)
        terminal.hint(std::format("sluice plan {}{} -k {}{}{} --method {} -o plan.json", shell_word(*arguments.model),
                                  arguments.platform ? std::format(" -p {}", shell_word(*arguments.platform)) : "", prepared->stages,
                                  prepared->replicas > 1 ? std::format(" --replicas {}", prepared->replicas) : "",
                                  options.objective == cost::Objective::latency ? " --objective latency" : "", best->method));

    const report::Comparison comparison{
        .methods = rows, .bounds = proofs, .objective = options.objective, .bound_table = arguments.bounds.has_value()};
    Outcome outcome{arguments.json
                        ? report::compare_json(comparison)
                        : std::format("{} on {}: {} into at most {}, {} each\n\n", report::printable(prepared->model.graph.name()),
                                      report::printable(prepared->platform.name), report::counted(rows.size(), "method"),
                                      report::counted(static_cast<std::size_t>(prepared->stages), "stage"), budget_text(arguments)) +
                              report::compare_text(comparison)};
    if (best == nullptr) {
        for (const solve::MethodRow& row : rows)
            if (row.failure) {
                terminal.error(*row.failure);
                outcome.code = exit_code_of(row.failure->kind);
                return outcome;
            }
        outcome.code = ExitCode::interrupted;
    }
    return outcome;
}

}  // namespace sluice::cli
