#include <algorithm>
#include <format>
#include <map>

#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/profiling.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/files.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {

using report::Align;

constexpr std::size_t kShownRows = 10;
constexpr std::size_t kBarWidth = 12;

std::string microseconds(double us) { return to_text(Duration{static_cast<std::int64_t>(us * 1e6)}); }

std::string kernel_types(const Profiled& profiled, const runtime::KernelGroup& group) {
    std::string text;
    for (const std::size_t k : group.kernels) {
        const std::string& type = profiled.raw.kernels[k].op_type;
        if (!text.contains(type)) text += (text.empty() ? "" : " + ") + type;
    }
    return report::printable(text);
}

std::string heaviest(const Profiled& profiled, const graph::Graph& graph) {
    std::vector<const runtime::KernelGroup*> order;
    for (const runtime::KernelGroup& group : profiled.mapped.groups)
        if (group.min_us > 0) order.push_back(&group);
    std::ranges::stable_sort(order, std::greater<>{}, &runtime::KernelGroup::min_us);
    report::Table table{{{"heaviest, ends with", Align::left, 36},
                         {"operators"},
                         {"run as", Align::left, 30},
                         {"time"},
                         {"share"},
                         {"spread"},
                         {"", Align::left}},
                        {}};
    const double most = order.empty() ? 1 : order.front()->min_us;
    for (std::size_t i = 0; i < std::min(kShownRows, order.size()); ++i) {
        const runtime::KernelGroup& group = *order[i];
        const double time = group.min_us * profiled.mapped.scale;
        table.rows.push_back({report::printable(graph.label(group.operators.back())), report::grouped(group.operators.size()),
                              kernel_types(profiled, group), microseconds(time), report::percent(time / profiled.mapped.whole_us),
                              report::percent(group.median_us / group.min_us - 1), report::bar(group.min_us / most, kBarWidth)});
    }
    return report::table_text(table);
}

std::string by_kernel(const Profiled& profiled) {
    struct Sum {
        std::size_t count = 0;
        double min_us = 0, median_us = 0;
    };
    std::map<std::string, Sum> sums;
    for (const runtime::RawKernel& kernel : profiled.raw.kernels) {
        Sum& sum = sums[kernel.op_type];
        ++sum.count;
        sum.min_us += kernel.min_us;
        sum.median_us += kernel.median_us;
    }
    std::vector<std::pair<std::string, Sum>> order(sums.begin(), sums.end());
    std::ranges::stable_sort(order, std::greater<>{}, [](const auto& entry) { return entry.second.min_us; });
    report::Table table{{{"kernels", Align::left, 30}, {"count"}, {"time"}, {"share"}, {"spread"}}, {}};
    for (std::size_t i = 0; i < std::min(kShownRows, order.size()); ++i) {
        const auto& [type, sum] = order[i];
        table.rows.push_back({report::printable(type), report::grouped(sum.count), microseconds(sum.min_us),
                              report::percent(sum.min_us / profiled.mapped.kernels_us),
                              sum.min_us > 0 ? report::percent(sum.median_us / sum.min_us - 1) : ""});
    }
    return report::table_text(table);
}

std::string profile_text(const Profiled& profiled, const graph::Graph& graph) {
    const runtime::RawProfile& raw = profiled.raw;
    const runtime::MappedKernels& mapped = profiled.mapped;
    std::size_t fused = 0;
    for (const runtime::KernelGroup& group : mapped.groups) fused += group.operators.size() > 1 ? group.operators.size() : 0;
    return std::format("{}: {} as {} of {}, level {}, {}\n\n", report::printable(graph.name()),
                       report::counted(graph.operator_count(), "operator"), report::counted(raw.kernels.size(), "kernel"),
                       report::printable(raw.library), raw.optimisation, report::counted(static_cast<std::size_t>(raw.threads), "thread")) +
           heaviest(profiled, graph) + "\n" + by_kernel(profiled) + "\n" +
           report::facts_text(
               {{"whole run",
                 std::format("{} at least, {} median, {} of CPU; {}", microseconds(raw.whole_min_us), microseconds(raw.whole_median_us),
                             microseconds(raw.whole_cpu_us), report::counted(static_cast<std::size_t>(raw.runs), "run"))},
                {"kernels", std::format("{} together; times are scaled by {:.3f}, to a run of {}", microseconds(mapped.kernels_us),
                                        mapped.scale, microseconds(mapped.whole_us))},
                {"groups", fused == 0 ? "" : std::format("{} of the operators ran in fused kernels and are planned as they ran", fused)},
                {"free",
                 mapped.free_us > 0 ? std::format("{} in operators that every stage makes again", microseconds(mapped.free_us)) : ""},
                {"processor", report::printable(raw.processor)}});
}

}  // namespace

Result<Outcome> run_profile(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (auto checked = check_output(arguments.output); !checked) return fail(std::move(checked.error()));
    auto model = load_model(session);
    if (!model) return fail(std::move(model.error()));
    if (!model->import)
        return fail(input_error(std::format("'{}' cannot be run: it is a {} file, which says what operators take but not what they do",
                                            *arguments.model, model->format))
                        .fix("profile the ONNX model; `plan` uses a workload's own times"));

    const auto weights = weight_source(arguments);
    if (!weights) return fail(weights.error());

    InterruptGuard interrupt(terminal);
    ProfilingOptions options{.weights = *weights, .seed = static_cast<std::uint64_t>(arguments.seed.value_or(0)), .run = {}};
    options.run.threads = arguments.threads.value_or(1);
    options.run.optimisation = std::stoi(arguments.level.value_or("99"));
    options.run.dimensions = arguments.dimensions;
    options.run.stop = interrupt.token();
    auto profiled = profile_model(*arguments.model, model->graph, std::move(options));
    if (!profiled) return fail(std::move(profiled.error()));
    for (const std::string& doubt : doubts_about(*profiled)) terminal.warn(doubt);

    const std::string text = cost::to_json_text(profiled->costs);
    std::string word = shell_word(*arguments.model);
    for (const auto& [name, size] : arguments.dimensions) word += std::format(" --dim {}", shell_word(std::format("{}={}", name, size)));
    if (arguments.assume_size) word += std::format(" --assume-size {}", *arguments.assume_size);
    if (arguments.output) {
        if (auto written = write_file(*arguments.output, text); !written) return fail(std::move(written.error()));
        terminal.say(
            std::format("wrote the costs of {} to {}", report::counted(profiled->costs.entries.size(), "group"), *arguments.output));
        terminal.hint(std::format("sluice plan {} -k 2 --costs {} -o plan.json", word, shell_word(*arguments.output)));
    } else if (!arguments.json) {
        terminal.hint(std::format("the same with `-o costs.json`; then `sluice plan {} -k 2 --costs costs.json`", word));
    }
    return Outcome{arguments.json ? text : profile_text(*profiled, model->graph)};
}

}  // namespace sluice::cli
