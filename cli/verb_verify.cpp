#include <format>
#include <nlohmann/json.hpp>

#include "cli/planning.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/json.hpp"
#include "sluice/base/observer.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {

nlohmann::ordered_json verdict_json(const Verdict& verdict, bool with_certificate) {
    const solve::VerifyReport& report = verdict.report;
    auto failures = nlohmann::ordered_json::array();
    for (const Diagnostic& failure : report.failures)
        failures.push_back({{"message", failure.message}, {"notes", failure.notes}, {"help", failure.help}});
    nlohmann::ordered_json object = {{"valid", report.valid}, {"certified", report.certified}, {"failures", std::move(failures)}};
    if (with_certificate) {
        object["check_seconds"] = report.check_seconds;
        object["certificate_bytes"] = verdict.certificate_bytes.count;
    }
    return object;
}

}  // namespace

Result<Outcome> run_verify(Session& session) {
    const Arguments& arguments = session.arguments;
    auto verdict = verify_files(*arguments.model, *arguments.plan, arguments.certificate.value_or(""));
    if (!verdict) return fail(std::move(verdict.error()));
    const auto& [plan, model, report, certificate_bytes] = *verdict;

    for (const Diagnostic& failure : report.failures) session.terminal.error(failure);
    const ExitCode code = report.valid ? ExitCode::done : ExitCode::verification;
    if (report.valid && plan.bound && !arguments.certificate) session.terminal.say("the bound was not checked: no certificate was given");
    if (arguments.json) return Outcome{json::to_file_text(verdict_json(*verdict, arguments.certificate.has_value())), code};
    if (!report.valid) return Outcome{"", code};
    return Outcome{
        std::format("{}: the plan holds, {}\n", report::printable(model), report::counted(plan.stages.size(), "stage")) +
            report::facts_text(
                {{"iteration", plan.predicted.iteration ? to_text(*plan.predicted.iteration) + ", simulated again" : ""},
                 {"bottleneck", to_text(plan.predicted.bottleneck) + (plan.training ? " a sample" : "")},
                 {"bound", plan.bound ? std::format("{} ({}, {})", to_text(plan.bound->value), report::printable(plan.bound->kind),
                                                    report.certified ? "certificate checked" : "not checked")
                                      : "none"},
                 {"certificate",
                  arguments.certificate ? std::format("{}, checked in {:.2f} s", to_text(certificate_bytes), report.check_seconds) : ""},
                 {"gap", plan.bound ? report::percent(gap_of(objective_value(plan), plan.bound->value)) : ""}}),
        code};
}

}  // namespace sluice::cli
