#include <format>
#include <nlohmann/json.hpp>

#include "cli/planning.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/files.hpp"
#include "sluice/base/json.hpp"
#include "sluice/graph/serialise.hpp"
#include "sluice/mcm/rewrite/shared_clones.hpp"
#include "sluice/report/model_text.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {

std::vector<std::pair<std::string, std::string>> facts_of(const onnx::ImportReport& report) {
    std::vector<std::pair<std::string, std::string>> facts{
        {"made by", std::format("{}, opset {}", report.producer.empty() ? "unknown" : report.producer, report.opset)},
        {"nodes", std::format("{} in the file", report::grouped(report.nodes))}};
    const auto add = [&](std::string_view name, std::size_t count, std::string_view what) {
        if (count > 0) facts.emplace_back(name, std::format("{} {}", report::grouped(count), what));
    };
    add("folded", report.folded, "nodes of shape chains and constants");
    add("removed", report.removed_identities, "nodes that do nothing (Identity, Dropout)");
    add("views", report.views, "operators that move no data");
    add("aliases", report.aliases, "second names of parameters resolved");
    add("inlined", report.inlined_functions, "calls of local functions");
    add("shapes", report.shapes_inferred, "inferred");
    // One fact a name: --json makes them the members of one object.
    std::string dimensions, types;
    for (const auto& [name, value] : report.bound_dimensions)
        dimensions += std::format("{}{} = {}", dimensions.empty() ? "" : ", ", name, value);
    for (const std::string& type : report.opaque_types) types += (types.empty() ? "" : ", ") + type;
    if (!dimensions.empty()) facts.emplace_back("dimensions", dimensions);
    if (!types.empty()) facts.emplace_back("no cost rule", types);
    return facts;
}

report::OperatorTimes times_of(const platform::Platform& platform, const cost::StageProblem& problem) {
    // A node may hold several operators (a colour): its time is shown at its first.
    report::OperatorTimes times{platform.name, std::vector<std::optional<Duration>>(problem.node_of.size())};
    for (std::size_t n = 0; n < problem.node_count(); ++n) {
        std::optional<Duration> least;
        for (const cost::DeviceCosts& device : problem.classes)
            if (device.supported.contains(n) && (!least || device.work[n] < *least)) least = device.work[n];
        for (OperatorId id : problem.operators[n]) times.time[id.index()] = Duration{0};
        times.time[problem.operators[n].front().index()] = least;
    }
    return times;
}

report::ChipsView::Use use_of(const graph::Graph& graph, const mcm::ChipProblem& problem) {
    report::ChipsView::Use use{mcm::usable_chips(problem), {}};
    if (use.usable.blocking) use.tensor = graph[use.usable.blocking->tensor].name;
    return use;
}

/// Chips that a plan can use, before and after cloning.
Result<report::ChipsView> chips_of(const graph::Graph& graph, const cost::StageProblem& costs, const platform::Platform& platform,
                                   const cost::MeasuredCosts* measured) {
    const mcm::Rules rules{.memory = false, .adjacent = true};
    auto problem = mcm::chip_problem(graph, costs, platform, rules);
    if (!problem) return fail(std::move(problem.error()));
    report::ChipsView view{.chips = problem->chips, .before = use_of(graph, *problem), .after = {}};
    for (const Duration time : costs.classes.front().work) view.work += time;
    const mcm::SharedClones clones = mcm::shared_clones(graph, costs);
    view.after = view.before;
    if (clones.rewrites.empty()) return view;
    const auto cloned = graph::rewritten(graph, clones.rewrites);
    if (!cloned) return fail(cloned.error());
    const auto frozen = cost::freeze(*cloned, platform, 0, measured);
    if (!frozen) return fail(frozen.error());
    problem = mcm::chip_problem(*cloned, frozen->problem, platform, rules);
    if (!problem) return fail(std::move(problem.error()));
    view.after = use_of(*cloned, *problem);
    view.clones = clones.rewrites.size();
    view.clone_work = clones.work;
    return view;
}

}  // namespace

Result<Outcome> run_inspect(Session& session) {
    const Arguments& arguments = session.arguments;
    if (auto checked = check_output(arguments.output); !checked) return fail(std::move(checked.error()));
    auto model = load_model(session);
    if (!model) return fail(std::move(model.error()));

    report::ModelView view;
    view.graph = &model->graph;
    view.summary = graph::summarise(model->graph);
    view.format = model->format;
    if (model->import) {
        view.facts = facts_of(*model->import);
        view.warnings = model->import->warnings;
    }
    if (arguments.platform || arguments.costs || model->graph.given_costs()) {
        auto platform = choose_platform(arguments, model->graph);
        if (!platform) return fail(std::move(platform.error()));
        auto costs = read_costs(arguments);
        if (!costs) return fail(std::move(costs.error()));
        auto frozen = cost::freeze(model->graph, *platform, 0, *costs ? &**costs : nullptr);
        if (!frozen) return fail(std::move(frozen.error()));
        for (const std::string& warning : frozen->report.warnings) {
            session.terminal.warn(warning);
            view.warnings.push_back(warning);
        }
        view.times = times_of(*platform, frozen->problem);
        if (platform->chip_rules) {
            auto chips = chips_of(model->graph, frozen->problem, *platform, *costs ? &**costs : nullptr);
            if (!chips) return fail(std::move(chips.error()));
            view.chips = std::move(*chips);
        }
    }
    if (arguments.output) {
        if (auto written = write_file(*arguments.output, graph::to_json_text(model->graph)); !written)
            return fail(std::move(written.error()));
        session.terminal.say(std::format("wrote the graph to {}", *arguments.output));
    }
    const std::string costs = arguments.costs ? " --costs " + shell_word(*arguments.costs) : "";
    const std::string platform = arguments.platform                              ? " -p " + shell_word(*arguments.platform)
                                 : model->graph.given_costs() || arguments.costs ? std::string()
                                                                                 : std::string(" -p asic-16");
    session.terminal.hint(std::format("sluice plan {}{}{} -k 8", shell_word(*arguments.model), platform, costs));
    return Outcome{arguments.json ? json::to_file_text(report::model_json(view)) : report::model_text(view)};
}

}  // namespace sluice::cli
