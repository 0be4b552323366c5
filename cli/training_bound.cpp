#include <algorithm>
#include <format>

#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/progress.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "sluice/base/files.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/text.hpp"
#include "sluice/report/training_text.hpp"
#include "sluice/training/evaluate.hpp"

namespace sluice::cli {

namespace {

/// What the proof rests on, in words.
std::string described(const bound::TrainingWitness& witness) {
    std::string text = "prices of devices";
    if (!witness.paths.empty()) text += std::format(", of {}", report::counted(witness.paths.size(), "path"));
    if (!witness.windows.empty())
        text += std::format(", of {} with what must wait for it", report::counted(witness.windows.size(), "run-up"));
    return text + ", under which every faster plan costs more than there is";
}

Result<void> write_bounds(const solve::TrainingBounds& bounds, const std::filesystem::path& path) {
    if (auto written = write_file(path, bound::to_json_text(*bounds.iteration, true)); !written) return written;
    return bounds.bottleneck ? write_file(bottleneck_certificate_path(path), bound::to_json_text(*bounds.bottleneck, true))
                             : Result<void>{};
}

}  // namespace

Result<Outcome> bound_of_training(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (arguments.method && *arguments.method != "auto")
        return fail(
            usage_error(std::format("'{}' is a bound of inference: training has one kind", *arguments.method)).fix("leave --method out"));
    if (arguments.gap)
        return fail(usage_error("--gap means nothing for bounds of training, which take no plan to prove")
                        .fix("--against PLAN shows the gap to a plan; `plan --gap` stops at one"));
    std::optional<OldPlan> old;
    Arguments filled = arguments;
    if (arguments.against) {
        auto read = read_old_plan(*arguments.against, plan::kTraining);
        if (!read) return fail(std::move(read.error()));
        old = std::move(*read);
        filled = filled_from_training(arguments, old->plan);
    }
    if (auto checked = check_batch(filled.batch); !checked) return fail(std::move(checked.error()));
    Session like_the_plan{filled, terminal, session.start};

    InterruptGuard interrupt(terminal);
    auto prepared = prepare_training(like_the_plan, old ? &*old : nullptr);
    if (!prepared) return fail(std::move(prepared.error()));
    const cost::TrainingProblem& problem = prepared->frozen.problem;
    if (auto possible = solve::check_training_options(problem, training_options(filled)); !possible)
        return fail(std::move(possible.error()));
    std::optional<cost::TrainingPartition> known;
    if (old) {
        auto partition = partition_of_old(*arguments.against, *old, *prepared);
        if (!partition) return fail(std::move(partition.error()));
        const auto other = [&](const cost::TrainingStage& stage) { return stage.micro_batch != arguments.micro_batch; };
        if (arguments.micro_batch && std::ranges::any_of(partition->stages, other))
            return fail(usage_error(std::format("'{}' has other micro-batches than {}", *arguments.against, *arguments.micro_batch))
                            .fix("leave --micro-batch out, or --against"));
        known = std::move(*partition);
    }
    Progress progress(session, "bound");
    const Limits limits = limits_of(session, interrupt.token());
    auto bounds =
        solve::prove_training(problem, prepared->model.graph.fingerprint(), arguments.micro_batch, progress, limits, solve::BoundTime::all);
    if (!bounds) return fail(with_labels(std::move(bounds.error()), prepared->model.graph));
    terminal.clear_line();
    show_warnings(session, bounds->warnings);
    if (!bounds->iteration) {
        if (limits.interrupted()) return fail({DiagnosticKind::stopped, "interrupted before there was a bound", {}, {}, {}});
        return fail(input_error("the time was up before there was a bound").fix("a longer --time"));
    }

    const std::string text = bound::to_json_text(*bounds->iteration, true);
    if (arguments.output) {
        if (auto written = write_bounds(*bounds, *arguments.output); !written) return fail(std::move(written.error()));
        terminal.say(std::format(
            "wrote the certificate to {}{}", *arguments.output,
            bounds->bottleneck ? " and that of the bottleneck to " + bottleneck_certificate_path(*arguments.output).string() : ""));
    }
    terminal.hint(old ? std::format("sluice plan {} --for training --from {}", shell_word(*arguments.model), shell_word(*arguments.against))
                      : training_call("plan", arguments));
    if (arguments.json) return Outcome{text};

    const Duration iteration = bounds->iteration->value;
    const auto reached = known ? std::optional(training::iteration_time(problem, *known)) : std::nullopt;
    const std::string why = limits.interrupted() ? "interrupted: these are the best proven until then"
                            : limits.out_of_time()
                                ? std::format("the time was up ({})", limit_text(arguments, {.reason = StopReason::time}))
                                : "the proof came to its end";
    return Outcome{
        std::format("{} on {}: every plan for mini-batches of {} {}on {} takes {} an iteration or more\n\n",
                    report::printable(prepared->model.graph.name()), report::printable(prepared->platform.name),
                    report::counted(static_cast<std::size_t>(*filled.batch), "sample"),
                    arguments.micro_batch ? std::format("in micro-batches of {} ", *arguments.micro_batch) : "",
                    report::counted(static_cast<std::size_t>(training::device_count(problem)), "device"), to_text(iteration)) +
        report::facts_text({{"iteration", report::bound_text(solve::claim_of(*bounds->iteration))},
                            {"bottleneck", bounds->bottleneck ? std::format("{} a sample ({}, certified)",
                                                                            to_text(bounds->bottleneck->value), bound::kWorkAndPath)
                                                              : "none proven"},
                            {"plan", reached ? to_text(*reached) + " an iteration" : ""},
                            {"gap", reached ? report::percent(gap_of(*reached, iteration)) : ""},
                            {"throughput", report::samples_text(*filled.batch, iteration) + " at most"},
                            {"witness", described(bounds->iteration->witness)},
                            {"certificate", to_text(Bytes{static_cast<std::int64_t>(text.size())})},
                            {"stopped", std::format("{}; {:.2f} s", why, session.seconds())}})};
}

}  // namespace sluice::cli
