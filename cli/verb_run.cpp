
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <format>
#include <nlohmann/json.hpp>
#include <ranges>

#include "cli/interrupt.hpp"
#include "cli/machine.hpp"
#include "cli/planning.hpp"
#include "cli/running.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/json.hpp"
#include "sluice/report/text.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/runtime/job_io.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kDefaultRunInputs = 100;
constexpr double kMissed = 0.15;  // a stage's own time off its prediction by more: the costs are to blame

struct Against {
    bool single = false, replicas = false;
};

Result<Against> parse_against(const std::optional<std::string>& list) {
    Against against;
    if (!list) return against;
    constexpr std::array<std::string_view, 2> kWords{"single", "replicas"};
    for (const auto part : *list | std::views::split(',')) {
        const std::string_view word(part.begin(), part.end());
        if (word == kWords[0])
            against.single = true;
        else if (word == kWords[1])
            against.replicas = true;
        else {
            const std::string_view near = nearest_match(word, kWords);
            return fail(usage_error(std::format("'{}' is nothing that --against knows", word))
                            .fix(near.empty() ? "--against single,replicas" : std::format("did you mean '{}'?", near)));
        }
    }
    return against;
}

Result<void> check_call(const Arguments& arguments) {
    if (arguments.inputs && arguments.duration)
        return fail(usage_error("--inputs and --duration both say when to end").fix("give one of them"));
    for (const auto& [flag, time] : {std::pair{"--duration", arguments.duration}, std::pair{"--watchdog", arguments.patience}})
        if (time && *time <= Duration{0}) return fail(usage_error(std::format("{} needs a time above 0", flag)));
    if (auto writable = check_output(arguments.output); !writable) return writable;
    if (auto worker = runtime::find_worker(); !worker) return fail(std::move(worker.error()));
    const auto version = runtime::run_child({"mpirun", "--version"});
    if (!version)
        return fail(std::move(Diagnostic(version.error())).fix("install Open MPI (Debian: openmpi-bin), or put its folder into PATH"));
    if (version->signal != 0)
        return fail(input_error(std::format("mpirun was ended by signal {} while it was asked for its version", version->signal)));
    if (!version->out.contains("Open MPI"))
        return fail(input_error("the 'mpirun' found in PATH is not Open MPI's")
                        .note(std::format("it says: {}", version->out.substr(0, version->out.find('\n'))))
                        .fix("put Open MPI's folder first in PATH (Debian: `mpirun.openmpi`)"));
    return {};
}

/// Outputs of `count` inputs as files, `copies` of them: the archive, what it is made from, and the unsplit model's for --check.
Result<void> check_room(const onnx::Manifest& manifest, std::int64_t count, std::int64_t copies, const fs::path& folder) {
    double bytes = 0;
    for (const onnx::Manifest::Output& output : manifest.outputs) bytes += static_cast<double>(output.tensor.bytes.count);
    bytes *= static_cast<double>(count) * static_cast<double>(copies);
    std::error_code error;
    const auto space = fs::space(folder, error);
    if (error || bytes < 0.95 * static_cast<double>(space.available)) return {};
    return fail(input_error(std::format("the outputs of {} inputs need {}, '{}' has room for {}", count,
                                        to_text(Bytes{static_cast<std::int64_t>(bytes)}), folder.string(),
                                        to_text(Bytes{static_cast<std::int64_t>(space.available)})))
                    .fix("give fewer --inputs, or set TMPDIR to a folder with more room"));
}

/// The run and everything that is run beside it.
class RunVerb {
public:
    RunVerb(Session& session, std::stop_token stop, Against against)
        : session_(session), arguments_(session.arguments), stop_(std::move(stop)), against_(against), processors_(default_threads()) {
        if (arguments_.hostfile) launch_.hostfile = *arguments_.hostfile;
        launch_.stop = stop_;
        several_hosts_ = runtime::several_hosts(launch_);
    }

    Result<Outcome> go() {
        auto opened = open_plan(session_);
        if (!opened) return fail(std::move(opened.error()));
        opened_.emplace(std::move(*opened));
        if (!opened_->model.import)
            return fail(input_error(std::format("'{}' is a workload, not a model: there is nothing to run", *arguments_.model))
                            .fix("run takes ONNX files and zoo:NAME"));
        // Other hosts must see the stage models: with a hostfile they lie in the current folder, which such clusters share.
        auto scratch =
            runtime::Scratch::make(several_hosts_ ? fs::path(".") : fs::path(), several_hosts_ ? ".sluice-stages" : "sluice-stages");
        if (!scratch) return fail(std::move(scratch.error()));
        std::optional<runtime::Scratch> beside_output;  // on the output's own file system, so that it gets its name by one rename
        if (arguments_.output) {
            const fs::path parent = fs::absolute(*arguments_.output).parent_path();
            auto made = runtime::Scratch::make(parent, ".sluice-output");
            if (!made) return fail(std::move(made.error()));
            beside_output.emplace(std::move(*made));
        }
        launch_.folder = scratch->path();
        const auto weights = weight_source(arguments_);
        if (!weights) return fail(weights.error());
        auto model = onnx::materialise(*arguments_.model, *weights, seed(), scratch->path() / "weights", stop_);
        if (!model) return fail(std::move(model.error()));
        auto runnable = make_runnable(*opened_, *model, scratch->path() / "stages", stop_);
        if (!runnable) return fail(std::move(runnable.error()));

        auto settings = settings_for(*runnable);
        if (!settings) return fail(std::move(settings.error()));
        const bool outputs = arguments_.output || arguments_.check;
        settings->deliver = outputs;
        if (outputs) settings->output = (beside_output ? beside_output->path() : scratch->path()) / "outputs.npz";
        if (outputs && settings->inputs)
            if (auto room = check_room(runnable->manifest, *settings->inputs, arguments_.check ? 3 : 2, settings->output->parent_path());
                !room)
                return fail(std::move(room.error()));

        const runtime::Job job = job_of(*runnable, *settings);
        auto result = launch_live(session_, "run", job, launch_);
        if (!result) return fail(std::move(result.error()));
        auto view = view_of(*opened_, job, *result, processors(), {});
        if (!view) return fail(std::move(view.error()));
        const bool interrupted = result->interrupted;
        if (interrupted) session_.terminal.say(std::format("interrupted: {} inputs were run to their end", view->inputs));

        // What is done is kept, whatever becomes of the comparisons below.
        const fs::path written = arguments_.output && view->inputs > 0 ? fs::absolute(*arguments_.output) : job.output.value_or("");
        if (arguments_.output && view->inputs > 0) {
            std::error_code error;
            fs::rename(*job.output, written, error);
            if (error) return fail(input_error(std::format("cannot write '{}': {}", *arguments_.output, error.message())));
            session_.terminal.say(std::format("wrote the outputs of {} inputs to {}", view->inputs, *arguments_.output));
        }
        std::optional<Diagnostic> failure;
        if (arguments_.check || against_.single || against_.replicas) {
            if (interrupted || view->inputs == 0)
                failure = Diagnostic{DiagnosticKind::stopped, "interrupted: nothing was compared", {}, {}, {}};
            else if (auto compared = compare(*settings, *model, written, scratch->path(), *view); !compared)
                failure = std::move(compared.error());
        }
        hint_costs(*view);
        Outcome outcome{arguments_.json ? json::to_file_text(report::run_json(*view)) : report::run_text(*view)};
        if (view->check && !view->check->holds()) {
            session_.terminal.error({DiagnosticKind::verification, "the pipeline's outputs are not the unsplit model's", {}, {}, {}});
            outcome.code = ExitCode::verification;
        }
        if (failure && failure->kind == DiagnosticKind::stopped && !arguments_.check) {
            session_.terminal.warn(failure->message);
        } else if (failure) {
            session_.terminal.error(*failure);
            outcome.code = exit_code_of(failure->kind);
        }
        return outcome;
    }

private:
    /// --check and --against, on as many inputs as were run.
    Result<void> compare(runtime::Job settings, const fs::path& model, const fs::path& outputs, const fs::path& folder,
                         report::RunView& view) {
        auto whole = make_whole(*opened_, model, folder / "whole", stop_);
        if (!whole) return fail(std::move(whole.error()));
        settings.inputs = view.inputs;
        settings.seconds = std::nullopt;
        if (arguments_.check) {
            auto checked = compare_with_whole(session_, *whole, settings, outputs, folder / "whole.npz", launch_);
            if (!checked) return fail(std::move(checked.error()));
            view.check = std::move(*checked);
        }
        settings.output.reset();
        return rivals(*whole, settings, view);
    }

    /// What the plan's costs were measured with: "threads", "optimisation".
    [[nodiscard]] std::optional<std::string> measured_with(std::string_view what) const {
        if (!opened_->plan.costs) return std::nullopt;
        for (const auto& [name, value] : opened_->plan.costs->machine)
            if (name == what) return value;
        return std::nullopt;
    }
    void warn_if_other(std::string_view flag, std::string_view what, const std::string& used) const {
        if (const auto measured = measured_with(what); measured && *measured != used)
            session_.terminal.warn(std::format("the plan's costs were measured with {} {}, this run has {} {}: predictions are off", flag,
                                               *measured, flag, used));
    }

    /// Where modelled times miss the measured ones, measured costs predict better. Busy cores say nothing of that.
    void hint_costs(const report::RunView& view) {
        const bool missed = std::ranges::any_of(view.stages, [](const report::RunStage& stage) {
            const double work = std::chrono::duration<double, std::milli>(stage.predicted.work + stage.predicted.spill).count();
            return work > 0 && stage.alone_ms > 0 && std::abs(stage.alone_ms / work - 1) > kMissed;
        });
        if (!missed || !view.busy.empty() || !opened_->plan.cost_source.starts_with("analytic")) return;
        const std::string model = shell_word(*arguments_.model);
        const std::string weights = arguments_.weights ? " --weights " + *arguments_.weights : "";
        session_.terminal.hint(
            std::format("sluice profile {}{} -o costs.json && sluice plan {} -p {} -k {} --costs costs.json -o measured-plan.json", model,
                        weights, model, shell_word(opened_->plan.platform.name), opened_->plan.stage_limit));
    }

    [[nodiscard]] std::uint64_t seed() const { return static_cast<std::uint64_t>(arguments_.seed.value_or(0)); }
    [[nodiscard]] std::optional<int> processors() const { return several_hosts_ ? std::nullopt : std::optional(processors_); }

    Result<runtime::Job> settings_for(const Runnable& runnable) {
        runtime::Job job;
        if (arguments_.duration)
            job.seconds = std::chrono::duration<double>(*arguments_.duration).count();
        else
            job.inputs = arguments_.inputs.value_or(kDefaultRunInputs);
        if (arguments_.input_file) {
            job.input = fs::absolute(*arguments_.input_file);
            const auto there = runtime::inputs_in(*job.input, runnable.manifest);
            if (!there) return fail(there.error());
            if (arguments_.inputs && *arguments_.inputs > *there)
                return fail(
                    input_error(std::format("--inputs asks for {}, '{}' holds {}", *arguments_.inputs, *arguments_.input_file, *there)));
            if (!arguments_.duration) job.inputs = arguments_.inputs.value_or(*there);
        }
        job.seed = seed();
        const std::int64_t ranks = runnable.program.ranks - 1;
        job.threads = std::max<std::int64_t>(1, processors_ / std::max<std::int64_t>(1, ranks));
        if (const auto measured = measured_with("threads")) job.threads = std::max(1, std::atoi(measured->c_str()));
        if (arguments_.threads) job.threads = *arguments_.threads;
        job.optimisation = std::atoi(arguments_.level.value_or(measured_with("optimisation").value_or("99")).c_str());
        warn_if_other("--threads", "threads", std::to_string(job.threads));
        warn_if_other("--level", "optimisation", std::to_string(job.optimisation));
        if (arguments_.patience) job.patience = std::chrono::duration<double>(*arguments_.patience).count();
        job.synchronous_sends = arguments_.synchronous_sends;
        return job;
    }

    Result<void> rivals(const Runnable& whole, const runtime::Job& settings, report::RunView& view) {
        const auto run = [&](std::string name, std::string what, const Runnable& runnable, std::int64_t threads) -> Result<void> {
            runtime::Job job = job_of(runnable, settings);
            job.threads = threads;
            auto result = launch_live(session_, name, job, launch_);
            if (!result) return fail(std::move(result.error()).note(std::format("while '{}' was run for --against", name)));
            if (!result->interrupted) view.rivals.push_back(rival_of(std::move(name), std::move(what), job, *result, processors()));
            return {};
        };
        if (against_.single)
            if (auto done =
                    run("single",
                        std::format("the whole model in one process, {}", report::counted(static_cast<std::size_t>(processors_), "thread")),
                        whole, processors_);
                !done)
                return done;
        if (!against_.replicas || stop_.stop_requested()) return {};
        const std::int64_t replicas = view.ranks - 1;
        auto program = program_of_whole(*opened_, replicas);
        if (!program) return fail(std::move(program.error()));
        return run("replicas",
                   std::format("the whole model {} times, {} each", replicas,
                               report::counted(static_cast<std::size_t>(settings.threads), "thread")),
                   {std::move(*program), whole.stages, whole.manifest}, settings.threads);
    }

    Session& session_;
    const Arguments& arguments_;
    std::stop_token stop_;
    Against against_;
    int processors_;
    runtime::LaunchOptions launch_;
    bool several_hosts_ = false;
    std::optional<OpenPlan> opened_;
};

}  // namespace

Result<Outcome> run_run(Session& session) {
    const auto against = parse_against(session.arguments.against);
    if (!against) return fail(against.error());
    if (auto good = check_call(session.arguments); !good) return fail(std::move(good.error()));
    InterruptGuard interrupt(session.terminal);
    return RunVerb(session, interrupt.token(), *against).go();
}

}  // namespace sluice::cli
