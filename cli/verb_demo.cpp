#include <format>
#include <thread>

#include "cli/interrupt.hpp"
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

namespace sluice::cli {

namespace {

namespace fs = std::filesystem;

// What one plans for without having it …
constexpr std::string_view kPlannedModel = "zoo:bert-base", kPlatform = "asic-16";
constexpr std::int64_t kPlannedStages = 8;
// … and what runs here and now.
constexpr std::string_view kRunModel = "zoo:resnet50";
constexpr std::int64_t kRunStages = 2, kRunInputs = 80;
constexpr double kRunPatience = 20;

struct Planning {
    std::string text;  // for stdout
    plan::Plan plan;
};

/// Plans, writes plan, certificate, events and platform into `folder`, and proves the plan from those files alone.
Result<Planning> plan_into(Session& session, std::string_view model, Prepared prepared, const fs::path& folder, std::stop_token stop) {
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
    const std::string file = (folder / "bert-base.onnx").string();
    if (auto written = onnx::zoo_write(kPlannedModel, onnx::ZooWeights::none, 0, file, stop); !written)
        return fail(std::move(written.error()));
    auto prepared = prepare_for(session, file, kPlatform, kPlannedStages);
    if (!prepared) return fail(std::move(prepared.error()));
    auto planning = plan_into(session, file, std::move(*prepared), folder, stop);
    if (!planning) return fail(std::move(planning.error()));
    return std::move(planning->text);
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
    RealRun real{.inputs = kRunInputs, .patience = kRunPatience, .check = true};
    auto view = run_and_check(session, *opened, *runnable, *file, real, stop);
    if (!view) return fail(std::move(view.error()));
    if (auto written = write_run_manifest({.command = "sluice demo",
                                           .model = std::string(kRunModel),
                                           .seed = 0,
                                           .libraries = {{"worker", view->library}},
                                           .files = {{file->filename().string(), "the model"},
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
    return Outcome{*planned + "\n" + *ran};
}

}  // namespace sluice::cli
