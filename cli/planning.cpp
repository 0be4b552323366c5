#include "cli/planning.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <format>
#include <set>

#include "cli/machine.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "sluice/base/files.hpp"
#include "sluice/inference/genetic.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {

constexpr std::chrono::seconds kDefaultPlanningTime{10};
constexpr std::int64_t kMostThreads = 1024;

Duration time_limit(const Arguments& arguments) { return arguments.time.value_or(kDefaultPlanningTime); }

}  // namespace

onnx::ImportOptions import_options(const Arguments& arguments) {
    return {.dimensions = arguments.dimensions, .assume_size = arguments.assume_size};
}

Result<onnx::WeightSource> weight_source(const Arguments& arguments) {
    const bool zoo = arguments.model->starts_with("zoo:");
    const std::string which = arguments.weights.value_or(zoo ? "random" : "file");
    if (which == "random") return onnx::WeightSource::random;
    if (which == "zero") return onnx::WeightSource::zero;
    if (zoo) return fail(usage_error("a model of the zoo has no weight file").fix("leave --weights out, or --weights random"));
    return onnx::WeightSource::file;
}

Result<onnx::LoadedModel> load_model(Session& session) {
    auto model = onnx::load_model(*session.arguments.model, import_options(session.arguments));
    if (model && model->import)
        for (const std::string& warning : model->import->warnings) session.terminal.warn(warning);
    return model;
}

Result<platform::Platform> choose_platform(const Arguments& arguments, const graph::Graph& graph) {
    if (arguments.platform) return platform::load_platform(*arguments.platform);
    if (graph.given_costs()) return platform::given_platform(graph);
    return platform::load_platform("cpu");
}

Result<std::optional<cost::MeasuredCosts>> read_costs(const Arguments& arguments) {
    if (!arguments.costs) return std::nullopt;
    return cost::read_costs_file(*arguments.costs);
}

Result<Prepared> prepare(Session& session) {
    auto model = load_model(session);
    if (!model) return fail(std::move(model.error()));
    auto platform = choose_platform(session.arguments, model->graph);
    if (!platform) return fail(std::move(platform.error()));
    auto costs = read_costs(session.arguments);
    if (!costs) return fail(std::move(costs.error()));
    return prepare(session, std::move(*model), std::move(*platform), session.arguments.stages, *costs ? &**costs : nullptr,
                   session.arguments.replicas.value_or(1));
}

Result<Prepared> prepare(Session& session, onnx::LoadedModel model, platform::Platform platform, std::optional<std::int64_t> stages,
                         const cost::MeasuredCosts* costs, std::int64_t replicas) {
    Prepared prepared{std::move(model), std::move(platform), {}, 1, 1};
    const std::int64_t wanted = std::max<std::int64_t>(1, stages.value_or(platform::device_count(prepared.platform)));
    prepared.replicas = std::min(replicas, wanted);
    // No partition has more stages than operators: a larger k is clamped before it enters the problem.
    const auto useful = [&](std::size_t operators) {
        const auto stages_at_most = static_cast<std::int64_t>(std::max<std::size_t>(1, operators));
        return stages_at_most > plan::kMostDevices / prepared.replicas ? plan::kMostDevices : stages_at_most * prepared.replicas;
    };
    prepared.stages = std::min(wanted, useful(prepared.model.graph.operator_count()));
    for (;;) {
        auto frozen = cost::freeze(prepared.model.graph, prepared.platform, prepared.stages, costs);
        if (!frozen) return fail(std::move(frozen.error()));
        prepared.frozen = std::move(*frozen);
        const std::int64_t most = useful(prepared.frozen.problem.node_count());
        if (prepared.stages <= most) break;
        prepared.stages = most;  // colours and free operators leave less to place
    }
    for (const std::string& warning : prepared.frozen.report.warnings) session.terminal.warn(warning);
    if (prepared.stages < wanted && stages)
        session.terminal.say(std::format("-k {}: the model has {} to place, so at most {} can be used", wanted,
                                         report::counted(prepared.frozen.problem.node_count(), "operator"),
                                         report::counted(static_cast<std::size_t>(prepared.stages), replicas > 1 ? "device" : "stage")));
    if (replicas > prepared.stages && replicas > 1)
        session.terminal.say(std::format("--replicas {}: there are only {} for all stages together", replicas,
                                         report::counted(static_cast<std::size_t>(prepared.stages), "device")));
    prepared.replicas = std::min(replicas, prepared.stages);
    return prepared;
}

Result<inference::GeneticShares> genetic_shares(const Arguments& arguments) {
    return arguments.genetic ? inference::read_shares(*arguments.genetic) : inference::GeneticShares{};
}

int threads_of(const Arguments& arguments) {
    return static_cast<int>(std::min(arguments.threads.value_or(default_threads()), kMostThreads));
}

Limits limits_of(const Session& session, std::stop_token stop) {
    const Arguments& arguments = session.arguments;
    Limits limits{.deadline = std::nullopt, .evaluations = arguments.evaluations, .stop = std::move(stop)};
    if (arguments.time || !arguments.evaluations)
        limits.deadline = session.start + std::chrono::duration_cast<Limits::Clock::duration>(time_limit(arguments));
    return limits;
}

solve::SolveOptions solve_options(const Session& session, const Prepared& prepared) {
    const Arguments& arguments = session.arguments;
    solve::SolveOptions options;
    options.stages = prepared.stages;
    options.max_replicas = prepared.replicas;
    if (arguments.objective) options.objective = cost::objective_of(*arguments.objective).value_or(options.objective);
    options.method = arguments.method.value_or("auto");
    options.seed = static_cast<std::uint64_t>(arguments.seed.value_or(0));
    options.threads = threads_of(arguments);
    options.gap = arguments.gap.value_or(0);
    options.genetic = genetic_shares(arguments).value_or(inference::GeneticShares{});
    options.until_limit = arguments.time.has_value();  // who names a time wants it used
    options.model = prepared.model.graph.fingerprint();
    return options;
}

std::string limit_text(const Arguments& arguments, const Termination& termination) {
    switch (termination.reason) {
        case StopReason::time:
            return std::format("--time {:g} s", std::chrono::duration<double>(time_limit(arguments)).count());
        case StopReason::evaluations:
            return std::format("--evals {}", arguments.evaluations.value_or(0));
        case StopReason::gap:
            return std::format("--gap {}", report::percent(arguments.gap.value_or(0)));
        case StopReason::finished:
        case StopReason::optimal:
        case StopReason::interrupted:
            break;
    }
    return {};
}

Diagnostic with_labels(Diagnostic diagnostic, const graph::Graph& graph) {
    constexpr std::string_view kWord = "operator", kDigits = "0123456789";
    constexpr std::size_t kNamed = 8;
    std::set<std::size_t> named;
    std::string text = diagnostic.message;
    for (const std::string& note : diagnostic.notes) text += '\n' + note;
    for (std::size_t at = text.find(kWord); at != std::string::npos; at = text.find(kWord, at)) {
        at += kWord.size();
        if (at < text.size() && text[at] == 's') ++at;
        // " 5, 7": the numbers that follow, each with its separator
        for (std::string_view before = " "; text.compare(at, before.size(), before) == 0; before = ", ") {
            const std::size_t end = std::min(text.find_first_not_of(kDigits, at + before.size()), text.size());
            std::size_t index = 0;
            if (std::from_chars(text.data() + at + before.size(), text.data() + end, index).ec != std::errc{}) break;
            at = end;
            if (index >= graph.operator_count() || named.size() == kNamed) continue;
            const std::string label = std::format("'{}'", graph.label(OperatorId(index)));
            if (text.compare(end, label.size() + 1, " " + label) == 0) continue;  // it has its name already
            if (named.insert(index).second) diagnostic.notes.push_back(std::format("operator {} is {}", index, label));
        }
    }
    return diagnostic;
}

void show_warnings(Session& session, std::span<const Diagnostic> warnings) {
    for (const Diagnostic& warning : warnings) {
        session.terminal.warn(warning.message);
        for (const std::string& note : warning.notes) session.terminal.say(note);
    }
}

void add_asked(const Arguments& arguments, plan::Plan& plan) {
    plan.model.dimensions = arguments.dimensions;
    plan.model.assume_size = arguments.assume_size;
    if (arguments.gap) plan.options.emplace_back("gap", std::format("{}", *arguments.gap));
    if (arguments.genetic) plan.options.emplace_back("genetic", *arguments.genetic);
    if (arguments.evaluations) plan.options.emplace_back("evals", std::to_string(*arguments.evaluations));
    plan.limit = limit_text(arguments, plan.termination);
}

plan::Plan plan_of(const Session& session, const Prepared& prepared, const cost::FrozenProblem& frozen, const solve::SolveOptions& options,
                   const solve::SolveResult& result) {
    plan::Plan plan = solve::make_plan(prepared.model.graph, prepared.platform, frozen, options, result);
    add_asked(session.arguments, plan);
    return plan;
}

Result<Planned> make_planned(Session& session, const Prepared& prepared, Observer& observer, const Limits& limits,
                             std::optional<Start> start) {
    solve::SolveOptions options = solve_options(session, prepared);
    if (start) options.start = std::move(start->partition);
    auto result = solve::solve(prepared.frozen.problem, options, observer, limits);
    if (!result) return fail(with_labels(std::move(result.error()), prepared.model.graph));
    session.terminal.clear_line();
    show_warnings(session, result->warnings);
    plan::Plan plan = plan_of(session, prepared, prepared.frozen, options, *result);
    if (start) plan.options.emplace_back("from", start->fingerprint);
    plan.termination.seconds = session.seconds();
    return Planned{std::move(plan), std::move(result->certificate), result->certified};
}

std::filesystem::path certificate_path(const std::filesystem::path& plan) {
    std::filesystem::path path = plan;
    return path.replace_filename(plan.stem().string() + ".certificate.json");
}

Result<void> write_planned(const Planned& planned, const std::filesystem::path& path) {
    if (auto written = write_file(certificate_path(path), bound::to_json_text(planned.certificate, planned.certified)); !written)
        return written;
    return write_file(path, plan::to_json_text(planned.plan));
}

Result<void> keep_planned(Session& session, const Planned& planned, std::string_view verb, std::string_view rest) {
    const Arguments& arguments = session.arguments;
    const std::string model = shell_word(*arguments.model);
    if (arguments.output) {
        if (auto written = write_planned(planned, *arguments.output); !written) return written;
        const std::string certificate = certificate_path(*arguments.output).string();
        session.terminal.say(std::format("wrote the plan to {} and its certificate to {}", *arguments.output, certificate));
        session.terminal.hint(std::format("sluice verify {} {} {}", model, shell_word(*arguments.output), shell_word(certificate)));
    } else if (!arguments.json) {
        session.terminal.hint(
            std::format("the same with `-o plan.json` keeps the plan and its certificate; then `sluice {} {} {}`", verb, model, rest));
    }
    return {};
}

Outcome outcome_of(Session& session, const plan::Plan& plan, std::string text) {
    const Arguments& arguments = session.arguments;
    Outcome outcome{std::move(text)};
    const double gap = plan.bound ? gap_of(objective_value(plan), plan.bound->value) : 1;
    if (arguments.require_gap && gap > *arguments.require_gap) {
        session.terminal.warn(std::format("the gap is {}, --require-gap asks for at most {}", plan.bound ? report::percent(gap) : "unknown",
                                          report::percent(*arguments.require_gap)));
        outcome.code = ExitCode::short_of_gap;
    }
    return outcome;
}

Result<Verdict> verify_files(std::string_view model, const std::filesystem::path& plan_file,
                             const std::filesystem::path& certificate_file) {
    // A file that contradicts itself is a verdict too, not only a file that cannot be read.
    const auto failed = [](Diagnostic failure) -> Result<Verdict> {
        if (failure.kind != DiagnosticKind::verification) return fail(std::move(failure));
        Verdict verdict;
        verdict.report.failures.push_back(std::move(failure));
        return verdict;
    };
    auto plan = plan::read_plan_file(plan_file);
    if (!plan) return failed(std::move(plan.error()));
    std::optional<bound::Certificate> certificate;
    std::optional<bound::TrainingCertificate> of_training;
    Bytes size;
    if (!certificate_file.empty()) {
        const auto document = json::parse_file(certificate_file);
        if (!document) return fail(document.error());
        if (plan->training.has_value() != bound::is_of_training(*document) && document->expect_format(bound::kCertificateFormat))
            return failed(
                {DiagnosticKind::verification,
                 std::format("the certificate is for {}, the plan for {}", plan->training ? plan::kInference : plan::kTraining, plan->job),
                 {.file = certificate_file.string()},
                 {},
                 {}});
        if (plan->training) {
            auto read = bound::read_training_certificate(*document);
            if (!read) return failed(std::move(read.error()));
            of_training = std::move(*read);
        } else {
            auto read = bound::read_certificate(*document);
            if (!read) return failed(std::move(read.error()));
            certificate = std::move(*read);
        }
        std::error_code error;
        if (const auto bytes = std::filesystem::file_size(certificate_file, error); !error) size.count = static_cast<std::int64_t>(bytes);
    }
    auto loaded = onnx::load_model(model, {.dimensions = plan->model.dimensions, .assume_size = plan->model.assume_size});
    if (!loaded) return fail(std::move(loaded.error()));
    auto report = plan->training ? solve::verify_training(loaded->graph, *plan, of_training ? &*of_training : nullptr)
                                 : solve::verify(loaded->graph, *plan, certificate ? &*certificate : nullptr);
    const auto graph = plan::planned_graph(*plan, loaded->graph);
    for (Diagnostic& failure : report.failures) failure = with_labels(std::move(failure), graph ? *graph : loaded->graph);
    return Verdict{std::move(*plan), loaded->graph.name(), std::move(report), size};
}

Result<void> check_output(const std::optional<std::string>& path) {
    if (!path) return {};
    if (*path == "-") return fail(usage_error("-o needs a file: stdout is for what the verb prints").fix("--json prints JSON on stdout"));
    std::error_code error;
    const std::filesystem::path file(*path);
    if (std::filesystem::is_directory(file, error)) return fail(input_error(std::format("cannot write '{}': it is a directory", *path)));
    const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    if (!std::filesystem::is_directory(folder, error))
        return fail(input_error(std::format("cannot write '{}': there is no folder '{}'", *path, folder.string()))
                        .fix(std::format("mkdir -p {}", shell_word(folder.string()))));
    // A file is written under another name and renamed, so its folder must be writable: better said before the work than after it.
    const bool in_place = std::filesystem::exists(file, error) && !std::filesystem::is_regular_file(file, error);
    if (!in_place && ::access(folder.c_str(), W_OK | X_OK) != 0)
        return fail(input_error(std::format("cannot write '{}': {} in folder '{}'", *path, std::strerror(errno), folder.string())));
    return {};
}

Result<void> make_folder(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (!std::filesystem::is_directory(path))
        return fail(input_error(std::format("cannot make the folder '{}': {}", path, error ? error.message() : "a file has this name")));
    return {};
}

}  // namespace sluice::cli
