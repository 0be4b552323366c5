#include <format>

#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/progress.hpp"
#include "cli/run_folder.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/files.hpp"
#include "sluice/onnx/zoo.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {
constexpr std::string_view kModel = "zoo:bert-base", kPlatform = "asic-16";
constexpr std::int64_t kStages = 8;
}  // namespace

Result<Outcome> run_demo(Session& session) {
    Terminal& terminal = session.terminal;
    auto folder = RunFolder::make(session.arguments.output, "demo");
    if (!folder) return fail(std::move(folder.error()));
    const auto file = [&](const char* name) { return (folder->path() / name).string(); };
    const auto final_file = [&](const char* name) { return shell_word((folder->final_path() / name).string()); };

    // A model, written and read back as a user's would be
    terminal.say(std::format("making {}", kModel));
    if (auto written = onnx::zoo_write(kModel, onnx::ZooWeights::none, 0, file("bert-base.onnx")); !written)
        return fail(std::move(written.error()));
    auto model = onnx::load_model(file("bert-base.onnx"), {});
    if (!model) return fail(std::move(model.error()));
    auto platform = platform::load_platform(kPlatform);
    if (!platform) return fail(std::move(platform.error()));

    // Plan and bound
    terminal.say(std::format("planning it over {} devices of {}", kStages, kPlatform));
    InterruptGuard interrupt(terminal);
    auto prepared = prepare(session, std::move(*model), std::move(*platform), kStages);
    if (!prepared) return fail(std::move(prepared.error()));
    Progress progress(session, "plan");
    auto planned = make_planned(session, *prepared, progress, limits_of(session, interrupt.token()));
    if (!planned) return fail(std::move(planned.error()));

    // Files, and the proof from the files alone
    if (auto written = write_planned(*planned, file("plan.json")); !written) return fail(std::move(written.error()));
    if (auto written = write_file(file("events.jsonl"), progress.events()); !written) return fail(std::move(written.error()));
    auto verdict = verify_files(file("bert-base.onnx"), file("plan.json"), file("plan.certificate.json"));
    if (!verdict) return fail(std::move(verdict.error()));
    for (const Diagnostic& failure : verdict->report.failures) terminal.error(failure);
    if (!verdict->report.valid)
        return fail({DiagnosticKind::verification,
                     "the plan does not verify from its files",
                     {},
                     {},
                     "this is a defect of sluice: please report it"});
    if (auto finished = folder->finish(); !finished) return fail(std::move(finished.error()));

    terminal.say(std::format("model, plan, certificate and events are in {}", folder->final_path().string()));
    terminal.hint(
        std::format("sluice verify {} {} {}", final_file("bert-base.onnx"), final_file("plan.json"), final_file("plan.certificate.json")));
    terminal.hint(std::format("sluice inspect {} -p {}", kModel, kPlatform));
    terminal.hint("sluice plan YOUR-MODEL.onnx -k 4 -o plan.json");
    const std::string checked = verdict->report.certified ? "plan and certificate verified from their files"
                                                          : "plan verified from its files; the bound is not certified";
    return Outcome{report::plan_text(planned->plan, prepared->model.graph) + std::format("\n{}\n", checked)};
}

}  // namespace sluice::cli
