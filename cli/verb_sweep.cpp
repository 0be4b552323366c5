#include <unistd.h>

#include <filesystem>
#include <format>
#include <list>

#include "cli/chips.hpp"
#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/progress.hpp"
#include "cli/shell.hpp"
#include "cli/stage_list.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "cli/verbs.hpp"
#include "sluice/report/sweep_text.hpp"
#include "sluice/report/text.hpp"
#include "sluice/solve/sweep.hpp"

namespace sluice::cli {

namespace {

/// Numbers beyond the nodes to place are one and the same problem: the largest that can be filled stands for them.
std::vector<std::int64_t> fillable(Session& session, std::vector<std::int64_t> wanted, std::size_t nodes, std::int64_t replicas) {
    const auto stages = static_cast<std::int64_t>(std::max<std::size_t>(1, nodes));
    const std::int64_t most = stages > plan::kMostDevices / replicas ? plan::kMostDevices : stages * replicas;
    if (wanted.back() <= most) return wanted;
    std::erase_if(wanted, [&](std::int64_t k) { return k > most; });
    if (wanted.empty() || wanted.back() < most) wanted.push_back(most);
    session.terminal.say(std::format("the model has {} to place: more than {} cannot be used", report::counted(nodes, "operator"),
                                     report::counted(static_cast<std::size_t>(most), replicas > 1 ? "device" : "stage")));
    return wanted;
}

}  // namespace

Result<Outcome> run_sweep(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (auto meant = check_job(arguments); !meant) return fail(std::move(meant.error()));
    auto chips = chip_platform(arguments);
    if (!chips) return fail(std::move(chips.error()));
    if (*chips)
        return fail(usage_error(std::format("sweep does not plan for chips on a ring, which '{}' has", (*chips)->name))
                        .fix("`sluice plan -k N` for each number of chips"));
    if (auto known = check_methods(arguments); !known) return fail(std::move(known.error()));
    if (is_training(arguments)) return sweep_training(session);
    if (auto shares = genetic_shares(arguments); !shares) return fail(std::move(shares.error()));
    std::vector<std::int64_t> wanted;
    if (arguments.stage_list) {
        auto list = parse_list("--stages", *arguments.stage_list);
        if (!list) return fail(std::move(list.error()));
        wanted = std::move(*list);
    }
    if (arguments.output)
        if (auto made = make_folder(*arguments.output); !made) return fail(std::move(made.error()));

    InterruptGuard interrupt(terminal);
    auto prepared = prepare(session);  // as the platform is: the stages only ever add devices to it
    if (!prepared) return fail(std::move(prepared.error()));
    if (wanted.empty()) wanted = usual_stages(prepared->stages);
    wanted = fillable(session, std::move(wanted), prepared->frozen.problem.node_count(), arguments.replicas.value_or(1));

    Limits limits{.deadline = std::nullopt, .evaluations = arguments.evaluations, .stop = interrupt.token()};
    if (arguments.time || !arguments.evaluations)
        limits.deadline = session.start + std::chrono::duration_cast<Limits::Clock::duration>(arguments.time.value_or(kDefaultSweepTime));
    solve::SolveOptions options = solve_options(session, *prepared);
    options.max_replicas = arguments.replicas.value_or(1);  // of each number of stages as many as it has
    struct Shown {
        std::string title;
        Progress progress;
        Shown(Session& session, std::string text) : title(std::move(text)), progress(session, title) {}
    };
    std::list<Shown> shown;
    auto points = solve::sweep(
        prepared->frozen.problem, wanted, options,
        [&](std::int64_t k) -> Observer& {
            shown.emplace_back(session, std::format("sweep {}/{} k={}", shown.size() + 1, wanted.size(), k));
            return shown.back().progress;
        },
        limits);
    if (!points) return fail(with_labels(std::move(points.error()), prepared->model.graph));
    terminal.clear_line();
    if (points->size() < wanted.size())
        terminal.say(std::format("{} of {} numbers of stages have a row; the others did not start", points->size(), wanted.size()));

    Arguments timed = arguments;  // plans say which limit ended them
    if (!timed.time && !timed.evaluations) timed.time = kDefaultSweepTime;
    Session as_run{timed, terminal, session.start};
    std::size_t found = 0;
    for (solve::SweepPoint& point : *points) {
        if (point.failure) point.failure = with_labels(std::move(*point.failure), prepared->model.graph);
        if (!point.result) continue;
        ++found;
        show_warnings(session, point.result->warnings);
        if (!arguments.output) continue;
        cost::FrozenProblem frozen = prepared->frozen;
        cost::allow_stages(frozen.problem, point.stages);
        solve::SolveOptions asked = options;
        asked.stages = point.stages;
        const Planned planned{plan_of(as_run, *prepared, frozen, asked, *point.result), point.result->certificate, point.result->certified};
        const auto file = std::filesystem::path(*arguments.output) / std::format("plan-k{}.json", point.stages);
        if (auto written = write_planned(planned, file); !written) return fail(std::move(written.error()));
    }
    if (arguments.output)
        terminal.say(std::format("wrote {} with their certificates to {}", report::counted(found, "plan"), *arguments.output));

    Outcome outcome{arguments.json ? report::sweep_json(*points, options.objective)
                                   : std::format("{} on {}\n\n", report::printable(prepared->model.graph.name()),
                                                 report::printable(prepared->platform.name)) +
                                         report::sweep_text(*points, options.objective, ::isatty(STDOUT_FILENO) == 1)};
    if (found > 0) return outcome;
    if (points->empty()) {
        outcome.code = ExitCode::interrupted;
    } else {
        terminal.error(*points->back().failure);  // of the most stages: the one with the best chance
        outcome.code = exit_code_of(points->back().failure->kind);
    }
    return outcome;
}

}  // namespace sluice::cli
