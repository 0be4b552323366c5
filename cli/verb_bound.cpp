#include <format>

#include "cli/chips.hpp"
#include "cli/interrupt.hpp"
#include "cli/old_plan.hpp"
#include "cli/planning.hpp"
#include "cli/progress.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/files.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {

/// What the proof rests on, in words.
struct Describe {
    const Prepared& prepared;

    [[nodiscard]] std::string label(NodeId node) const {
        const auto& problem = prepared.frozen.problem;
        return node.index() < problem.node_count() ? prepared.model.graph.label(problem.operators[node.index()].front()) : std::string("?");
    }
    std::string operator()(const bound::LargestOperatorWitness& witness) const {
        return std::format("some stage must hold '{}', the slowest operator", label(witness.node));
    }
    std::string operator()(const bound::TotalWorkWitness&) const { return "all the work, shared evenly by all stages"; }
    std::string operator()(const bound::LongestPathWitness& witness) const {
        return std::format("{} that wait for each other, from '{}' to '{}'", report::counted(witness.nodes.size(), "operator"),
                           label(witness.nodes.front()), label(witness.nodes.back()));
    }
    std::string operator()(const bound::WaypointsWitness& witness) const {
        if (witness.nodes.empty()) return "all the work, and all parameters, shared evenly by all stages";
        return std::format("the stages of what lies before, between and behind {} on one way, from '{}' to '{}'",
                           report::counted(witness.nodes.size(), "operator"), label(witness.nodes.front()), label(witness.nodes.back()));
    }
    std::string operator()(const bound::TriangleWitness& witness) const {
        return std::format("'{}' feeds '{}': all on ways between them shares their chips", label(witness.from), label(witness.to));
    }
    std::string operator()(const bound::CutWitness& witness) const {
        return std::format("the stage that holds '{}', whatever else is in it: a flow of {} arcs", label(witness.anchor),
                           report::grouped(witness.flows.size()));
    }
    std::string operator()(const bound::LinearProgramWitness& witness) const {
        return std::format("{} rows of a linear program of {}, added up", report::grouped(witness.rows.size()),
                           report::counted(witness.blocks.size(), "block"));
    }
    std::string operator()(const bound::SolverClaimWitness& witness) const {
        return std::format("none: the word of {}, after a search over {}", witness.solver, report::counted(witness.blocks.size(), "block"));
    }
    std::string operator()(const bound::ChainWitness& witness) const {
        return std::format("the cuts between stages, chained along an order of {}", report::counted(witness.order.size(), "group"));
    }
    std::string operator()(const bound::CountingWitness&) const {
        return "the share of a stage that each operator takes, beside the transfers around it";
    }
    std::string operator()(const bound::CoveringWitness& witness) const {
        return std::format("weights of {} of which no stage has more than its devices", report::counted(witness.order.size(), "group"));
    }
    std::string operator()(const bound::ExactDpWitness& witness) const {
        std::size_t kept = 0;
        for (const auto& level : witness.kept) kept += level.size();
        return std::format("a complete search for anything better: {} kept", report::counted(kept, "downset"));
    }
};

/// The plan of --against, as the problem at hand sees it.
Result<cost::Partition> partition_against(const OldPlan& old, const std::string& file, const Prepared& prepared) {
    const cost::StageProblem& problem = prepared.frozen.problem;
    auto partition = plan::partition_of(old.plan, prepared.model.graph, problem);
    std::optional<Diagnostic> fault;
    if (!partition)
        fault = std::move(partition.error());
    else if (auto faults = cost::faults_of(problem, *partition, prepared.stages); !faults.empty())
        fault = std::move(faults.front());
    if (!fault) return partition;
    Diagnostic diagnostic = with_labels(std::move(*fault), prepared.model.graph);
    diagnostic.kind = DiagnosticKind::input;
    diagnostic.message = std::format("'{}' is no plan for this: {}", file, diagnostic.message);
    return fail(std::move(diagnostic));
}

/// What --gap is measured against when no plan is given: one that the planner finds with its usual effort, in at most a quarter of the
/// time.
Result<cost::Partition> partition_found(Session& session, const Prepared& prepared, std::stop_token stop) {
    solve::SolveOptions options = solve_options(session, prepared);
    options.method = "auto";
    options.bound = "combinatorial";
    options.until_limit = false;
    Limits limits = limits_of(session, std::move(stop));
    const auto now = Limits::Clock::now();
    if (limits.deadline) limits.deadline = now + (*limits.deadline - now) / 4;
    Progress progress(session, "plan");
    auto result = solve::solve(prepared.frozen.problem, options, progress, limits);
    if (!result) return fail(with_labels(std::move(result.error()), prepared.model.graph));
    return std::move(result->partition);
}

}  // namespace

Result<Outcome> run_bound(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (auto checked = check_output(arguments.output); !checked) return fail(std::move(checked.error()));
    if (auto meant = check_job(arguments); !meant) return fail(std::move(meant.error()));
    if (is_training(arguments)) return bound_of_training(session);
    const auto chips = chip_platform(arguments, ChipMethods::any);
    if (!chips) return fail(chips.error());
    if (*chips)
        terminal.warn(
            "on chips this bounds plans whose operators run once each: clones and recomputation can avoid transfers (kinds combinatorial "
            "and waypoints hold for all)");

    std::optional<OldPlan> old;
    Arguments filled = arguments;
    if (arguments.against) {
        auto read = read_old_plan(*arguments.against);
        if (!read) return fail(std::move(read.error()));
        old = std::move(*read);
        filled = filled_from(arguments, old->plan);
    }
    Session like_the_plan{filled, terminal, session.start};

    InterruptGuard interrupt(terminal);
    auto prepared = old ? prepare_like(like_the_plan, old->plan) : prepare(session);
    if (!prepared) return fail(std::move(prepared.error()));
    std::optional<cost::Partition> known;
    if (old || arguments.gap) {
        auto partition =
            old ? partition_against(*old, *arguments.against, *prepared) : partition_found(session, *prepared, interrupt.token());
        if (!partition && (old || partition.error().kind == DiagnosticKind::infeasible)) return fail(std::move(partition.error()));
        if (partition)
            known = std::move(*partition);
        else
            terminal.warn(std::format("--gap has nothing to be measured against: {}", partition.error().message));
    }
    solve::SolveOptions options = solve_options(like_the_plan, *prepared);
    options.bound = arguments.method.value_or("auto");
    options.method = "auto";
    options.start = known;
    Progress progress(session, "bound");
    auto proven = solve::prove(prepared->frozen.problem, options, progress, limits_of(session, interrupt.token()));
    if (!proven) return fail(with_labels(std::move(proven.error()), prepared->model.graph));
    terminal.clear_line();
    show_warnings(session, proven->warnings);

    const std::string text = bound::to_json_text(proven->certificate, proven->certified);
    if (arguments.output) {
        if (auto written = write_file(*arguments.output, text); !written) return fail(std::move(written.error()));
        terminal.say(std::format("wrote the certificate to {}", *arguments.output));
    }
    const std::string platform = arguments.platform ? std::format(" -p {}", shell_word(*arguments.platform)) : "";
    const std::string costs = arguments.costs ? std::format(" --costs {}", shell_word(*arguments.costs)) : "";
    terminal.hint(std::format("sluice plan {}{}{} -k {}{}{}", shell_word(*arguments.model), platform, costs, prepared->stages,
                              prepared->replicas > 1 ? std::format(" --replicas {}", prepared->replicas) : "",
                              options.objective == cost::Objective::latency ? " --objective latency" : ""));
    if (arguments.json) return Outcome{text};

    const bound::Certificate& certificate = proven->certificate;
    const bool latency = certificate.objective == cost::Objective::latency;
    const double seconds = std::chrono::duration<double>(certificate.value).count();
    const Duration reached =
        known ? cost::objective_value(cost::price(prepared->frozen.problem, *known), certificate.objective) : Duration{0};
    const std::string shared = certificate.max_replicas > 1 ? std::format(", up to {} of them a stage,", certificate.max_replicas) : "";
    const std::string why = proven->termination.reason == StopReason::finished
                                ? "the proof came to its end"
                                : report::why_stopped(proven->termination, limit_text(arguments, proven->termination));
    return Outcome{
        std::format("{} on {}: every partition {} at most {}{} {} {} or more\n\n", report::printable(prepared->model.graph.name()),
                    report::printable(prepared->platform.name), shared.empty() ? "into" : "on",
                    report::counted(static_cast<std::size_t>(certificate.stages), shared.empty() ? "stage" : "device"), shared,
                    latency          ? "needs for one input"
                    : shared.empty() ? "has a stage of"
                                     : "has a stage that takes an input every",
                    to_text(certificate.value)) +
        report::facts_text({{"bound", report::bound_text({certificate.value, std::string(certificate.kind()), proven->certified})},
                            {"plan", known ? to_text(reached) + (old ? "" : ", found on the way") : ""},
                            {"gap", known ? report::percent(gap_of(reached, certificate.value)) : ""},
                            {"throughput", seconds > 0 && !latency ? report::rate_text(1 / seconds) + " inferences/s at most" : ""},
                            {"witness", report::printable(std::visit(Describe{*prepared}, certificate.witness))},
                            {"certificate", to_text(Bytes{static_cast<std::int64_t>(text.size())})},
                            {"stopped", std::format("{}; {:.2f} s", why, session.seconds())}})};
}

}  // namespace sluice::cli
