#include <format>

#include "cli/interrupt.hpp"
#include "cli/machine.hpp"
#include "cli/open_plan.hpp"
#include "cli/planning.hpp"
#include "cli/profiling.hpp"
#include "cli/progress.hpp"
#include "cli/run_folder.hpp"
#include "cli/run_manifest.hpp"
#include "cli/running.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/files.hpp"
#include "sluice/onnx/weights.hpp"
#include "sluice/onnx/zoo.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/text.hpp"
#include "sluice/report/trace.hpp"
#include "sluice/runtime/scratch.hpp"
#include "sluice/simulate/inference.hpp"

namespace sluice::cli {

namespace {

namespace fs = std::filesystem;

// What one plans for without having it …
constexpr std::string_view kPlannedModel = "zoo:bert-base", kPlatform = "asic-16";
constexpr std::int64_t kPlannedStages = 8;
// … and what runs here and now.
constexpr std::string_view kRunModel = "zoo:resnet50";
constexpr std::int64_t kRunStages = 2, kRunInputs = 80;

struct Planning {
    std::string text;  // for stdout
    plan::Plan plan;
};

/// Plans, writes plan, certificate, events and platform into `folder`, and proves the plan from those files alone.
Result<Planning> plan_into(Session& demo, std::string_view model, Prepared prepared, const fs::path& folder, std::stop_token stop) {
    Session session{demo.arguments, demo.terminal, Limits::Clock::now()};  // --time is for each plan
    Progress progress(session, "plan");
    auto planned = make_planned(session, prepared, progress, limits_of(session, std::move(stop)));
    if (!planned) return fail(std::move(planned.error()));
    const fs::path plan = folder / "plan.json";
    for (auto written : {write_planned(*planned, plan), write_file(folder / "events.jsonl", progress.events()),
                         write_file(folder / "platform.toml", platform::to_toml(prepared.platform))})
        if (!written) return fail(std::move(written.error()));
    auto verdict = verify_files(model, plan, certificate_path(plan));
    if (!verdict) return fail(std::move(verdict.error()));
    for (const Diagnostic& failure : verdict->report.failures) session.terminal.error(failure);
    if (!verdict->report.valid)
        return fail({DiagnosticKind::verification,
                     "the plan does not verify from its files",
                     {},
                     {},
                     "this is a defect of sluice: please report it"});
    const std::string_view checked = verdict->report.certified ? "plan and certificate verified from their files"
                                                               : "plan verified from its files; the bound is not certified";
    return Planning{report::plan_text(planned->plan, prepared.model.graph) + std::format("\n{}\n", checked), std::move(planned->plan)};
}

Result<Prepared> prepare_for(Session& session, const std::string& file, std::string_view platform_name, std::int64_t stages,
                             const cost::MeasuredCosts* costs = nullptr) {
    auto model = onnx::load_model(file, {});
    if (!model) return fail(std::move(model.error()));
    auto platform = platform::load_platform(platform_name);
    if (!platform) return fail(std::move(platform.error()));
    return prepare(session, std::move(*model), std::move(*platform), stages, costs);
}

/// Act one: a plan, a bound and a proof for accelerators that need not be here.
Result<std::string> plan_for_accelerators(Session& session, const fs::path& folder, const std::stop_token& stop) {
    session.terminal.say(std::format("planning {} over {} devices of {}", kPlannedModel, kPlannedStages, kPlatform));
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return fail(input_error(std::format("cannot make the folder '{}': {}", folder.string(), error.message())));
    const std::string file = (folder / "bert-base.onnx").string();
    if (auto written = onnx::zoo_write(kPlannedModel, onnx::ZooWeights::none, 0, file, stop); !written)
        return fail(std::move(written.error()));
    auto prepared = prepare_for(session, file, kPlatform, kPlannedStages);
    if (!prepared) return fail(std::move(prepared.error()));
    auto planning = plan_into(session, file, std::move(*prepared), folder, stop);
    if (!planning) return fail(std::move(planning.error()));
    return std::move(planning->text);
}

/// The simulated run, for ui.perfetto.dev.
Result<void> write_trace(const OpenPlan& opened, const program::Program& program, const fs::path& path, const std::stop_token& stop) {
    const auto result = simulate::simulate_inference(program, opened.plan.platform, {.inputs = kRunInputs, .trace = true, .stop = stop});
    if (!result) return fail(result.error());
    return write_file(
        path, report::trace_text({.names = result->names, .tracks = result->tracks, .tasks = result->tasks, .counters = result->counters}));
}

/// The pipeline, then the unsplit model on the same inputs; outputs compared value by value.
Result<report::RunView> run_and_compare(Session& session, const OpenPlan& opened, const Runnable& runnable, const fs::path& model,
                                        const std::stop_token& stop) {
    auto scratch = runtime::Scratch::make({}, "sluice-demo");
    if (!scratch) return fail(std::move(scratch.error()));
    runtime::Job settings;
    settings.inputs = kRunInputs;
    settings.deliver = true;
    settings.output = scratch->path() / "outputs.npz";
    const runtime::Job job = job_of(runnable, settings);
    runtime::LaunchOptions launch;
    launch.stop = stop;
    auto result = launch_live(session, "run", job, launch);
    if (!result) return fail(std::move(result.error()));
    if (result->interrupted) return fail(Diagnostic{DiagnosticKind::stopped, "interrupted", {}, {}, {}});
    auto view = view_of(opened, job, *result, default_threads(), stop);
    if (!view) return view;
    auto whole = make_whole(opened, model, scratch->path() / "whole", stop);
    if (!whole) return fail(std::move(whole.error()));
    auto compared = compare_with_whole(session, *whole, settings, *settings.output, scratch->path() / "whole.npz", launch);
    if (!compared) return fail(std::move(compared.error()));
    view->check = std::move(*compared);
    return view;
}

/// Act two: a model measured on this machine's cores, planned on what was measured, exported, and run for real.
Result<std::string> run_on_this_machine(Session& session, const fs::path& folder, const std::stop_token& stop) {
    Terminal& terminal = session.terminal;
    terminal.say(std::format("measuring {} on one core of this machine", kRunModel));
    auto file = onnx::materialise(kRunModel, onnx::WeightSource::random, 0, folder, stop);
    if (!file) return fail(std::move(file.error()));
    auto model = onnx::load_model(file->string(), {});
    if (!model) return fail(std::move(model.error()));
    ProfilingOptions profiling;
    profiling.run.stop = stop;
    auto profiled = profile_model(file->string(), model->graph, std::move(profiling));
    if (!profiled) return fail(std::move(profiled.error()));
    for (const std::string& doubt : doubts_about(*profiled)) terminal.warn(doubt);
    if (auto written = write_file(folder / "costs.json", cost::to_json_text(profiled->costs)); !written)
        return fail(std::move(written.error()));

    terminal.say(std::format("planning it on what was measured, in {} stages", kRunStages));
    auto prepared = prepare_for(session, file->string(), "cpu", kRunStages, &profiled->costs);
    if (!prepared) return fail(std::move(prepared.error()));
    auto planning = plan_into(session, file->string(), std::move(*prepared), folder, stop);
    if (!planning) return fail(std::move(planning.error()));
    auto opened = open_plan(file->string(), std::move(planning->plan));
    if (!opened) return fail(std::move(opened.error()));

    terminal.say(std::format("running {} inputs through {} processes, then through the whole model", kRunInputs, kRunStages));
    auto runnable = make_runnable(*opened, *file, folder / "stages", stop);
    if (!runnable) return fail(std::move(runnable.error()));
    auto traced = write_trace(*opened, runnable->program, folder / "trace.json", stop);
    if (!traced) return fail(std::move(traced.error()));
    auto view = run_and_compare(session, *opened, *runnable, *file, stop);
    if (!view) return fail(std::move(view.error()));
    if (auto written = write_run_manifest({.command = "sluice demo",
                                           .model = std::string(kRunModel),
                                           .seed = 0,
                                           .libraries = {{"worker", view->library}},
                                           .files = {{file->filename().string(), "the model"},
                                                     {file->filename().string() + ".weights", "its weights, made up"},
                                                     {std::string(kPlatform), "the plan for accelerators that need not be here"},
                                                     {"costs.json", "its operators' times, measured here"},
                                                     {"platform.toml", "this machine as the planner sees it"},
                                                     {"plan.json", "the plan"},
                                                     {"plan.certificate.json", "the proof of its bound"},
                                                     {"events.jsonl", "how planning went"},
                                                     {"trace.json", "the simulated run, for ui.perfetto.dev"},
                                                     {"stages", "the stages as model files"}}},
                                          folder);
        !written)
        return fail(std::move(written.error()));
    if (!view->check->holds())
        return fail({DiagnosticKind::verification,
                     "the pipeline's outputs are not the unsplit model's",
                     {},
                     {report::run_text(*view)},
                     "this is a defect of sluice: please report it"});
    return planning->text + "\n" + report::run_text(*view);
}

}  // namespace

Result<Outcome> run_demo(Session& session) {
    Terminal& terminal = session.terminal;
    auto folder = RunFolder::make(session.arguments.output, "demo");
    if (!folder) return fail(std::move(folder.error()));
    InterruptGuard interrupt(terminal);
    auto planned = plan_for_accelerators(session, folder->path() / "asic-16", interrupt.token());
    if (!planned) return fail(std::move(planned.error()));
    auto ran = run_on_this_machine(session, folder->path(), interrupt.token());
    if (!ran) return fail(std::move(ran.error()));
    if (auto finished = folder->finish(); !finished) return fail(std::move(finished.error()));
    const auto word = [&](const char* name) { return shell_word((folder->final_path() / name).string()); };
    terminal.say(std::format("everything is in {}", folder->final_path().string()));
    terminal.hint(std::format("sluice verify {} {} {}", word("resnet50.onnx"), word("plan.json"), word("plan.certificate.json")));
    terminal.hint(std::format("sluice simulate {} {} --trace trace.json", word("resnet50.onnx"), word("plan.json")));
    terminal.hint("sluice plan YOUR-MODEL.onnx -k 4 -o plan.json");
    return Outcome{*planned + "\n" + *ran};
}

}  // namespace sluice::cli
