#include <format>
#include <nlohmann/json.hpp>

#include "cli/chips.hpp"
#include "cli/interrupt.hpp"
#include "cli/open_plan.hpp"
#include "cli/planning.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/files.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/program/lower.hpp"
#include "sluice/report/simulation_text.hpp"
#include "sluice/report/text.hpp"
#include "sluice/report/trace.hpp"

namespace sluice::cli {

namespace {

constexpr std::int64_t kDefaultSimulatedInputs = 1000;
constexpr double kLiveDelay = 1, kLiveInterval = 0.1;  // of the live line, in seconds

simulate::LinkSharing sharing_of(const Arguments& arguments) {
    if (arguments.sharing == "free") return simulate::LinkSharing::free;
    return arguments.sharing == "fair" ? simulate::LinkSharing::fair : simulate::LinkSharing::fifo;
}

}  // namespace

Result<void> write_trace(Session& session, const report::TraceView& trace) {
    const std::string& file = *session.arguments.trace;
    if (auto written = write_file(file, report::trace_text(trace)); !written) return written;
    session.terminal.say(
        std::format("wrote the trace of {} to {}: open it in https://ui.perfetto.dev", report::counted(trace.tasks.size(), "task"), file));
    return {};
}

Result<Outcome> run_simulate(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (auto checked = check_output(arguments.trace); !checked) return fail(std::move(checked.error()));
    InterruptGuard interrupt(terminal);
    auto plan = plan::read_plan_file(*arguments.plan);
    if (!plan) return fail(std::move(plan.error()));
    if (plan->training) return simulate_training(session, std::move(*plan));
    auto opened = open_plan(*arguments.model, std::move(*plan));
    if (!opened) return fail(std::move(opened.error()));
    if (opened->plan.platform.chip_rules) return simulate_chips(session, *opened);
    const auto program = program::lower(opened->model.graph, opened->frozen.problem, opened->partition);
    if (!program) return fail(program.error());

    simulate::InferenceOptions options{.inputs = arguments.inputs.value_or(kDefaultSimulatedInputs),
                                       .sharing = sharing_of(arguments),
                                       .trace = arguments.trace.has_value(),
                                       .stop = interrupt.token()};
    const double begun = session.seconds();
    double shown = begun + kLiveDelay;
    options.progress = [&](std::int64_t outputs, std::int64_t events) {
        if (!terminal.live() || session.seconds() < shown) return;
        shown = session.seconds() + kLiveInterval;
        terminal.show_line(std::format("simulate {:.1f}s  {} of {} inputs  {} events/s", session.seconds(),
                                       report::grouped(static_cast<std::size_t>(outputs)),
                                       report::grouped(static_cast<std::size_t>(options.inputs)),
                                       count_to_text(static_cast<double>(events) / (session.seconds() - begun))));
    };
    const auto result = simulate::simulate_inference(*program, opened->plan.platform, options);
    terminal.clear_line();
    if (!result) return fail(result.error());
    if (const double took = session.seconds() - begun; took > kLiveDelay)
        terminal.say(std::format("{} events in {:.1f} s, {} a second", report::grouped(static_cast<std::size_t>(result->events)), took,
                                 count_to_text(static_cast<double>(result->events) / took)));
    if (result->outputs < options.inputs)
        terminal.warn(
            std::format("interrupted after {} of {}", result->outputs, report::counted(static_cast<std::size_t>(options.inputs), "input")));
    if (arguments.trace) {
        if (auto written = write_trace(session, {result->names, result->tracks, result->tasks, result->counters}); !written)
            return fail(std::move(written.error()));
    }
    const report::SimulationView view{
        .plan = &opened->plan, .program = &*program, .result = &*result, .inputs = options.inputs, .sharing = options.sharing};
    return Outcome{arguments.json ? json::to_file_text(report::simulation_json(view)) : report::simulation_text(view)};
}

}  // namespace sluice::cli
