#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <format>
#include <list>

#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/progress.hpp"
#include "cli/stage_list.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "cli/verbs.hpp"
#include "sluice/report/text.hpp"
#include "sluice/report/training_sweep.hpp"
#include "sluice/solve/training_sweep.hpp"

namespace sluice::cli {

namespace {

using Numbers = std::vector<std::int64_t>;

Result<Numbers> numbers_of(std::string_view flag, const std::optional<std::string>& list) {
    return list ? parse_list(flag, *list) : Result<Numbers>(Numbers{});
}

/// Ascending, each once.
Result<std::vector<Bytes>> sizes_of(const std::optional<std::string>& list) {
    std::vector<Bytes> sizes;
    for (std::size_t at = 0; list && at <= list->size();) {
        const std::size_t end = std::min(list->find(',', at), list->size());
        const std::string item = list->substr(at, end - at);
        const auto size = parse_bytes(item);
        if (!size || size->count < 1)
            return fail(usage_error(std::format("--memory: '{}' is no size", item)).fix("for example 8GiB,16GiB"));
        sizes.push_back(*size);
        at = end + 1;
    }
    std::ranges::sort(sizes);
    sizes.erase(std::ranges::unique(sizes).begin(), sizes.end());
    return sizes;
}

/// What the lists ask for.
struct Wanted {
    Numbers batches, micro_batches, devices;
    std::vector<Bytes> memories;
};

Result<Wanted> wanted_by(const Arguments& arguments, const platform::Platform& platform) {
    auto batches = numbers_of("--batch", arguments.batch_list), micro_batches = numbers_of("--micro-batch", arguments.micro_batch_list),
         devices = numbers_of("--devices", arguments.device_list);
    auto memories = sizes_of(arguments.memory_list);
    for (const auto* list : {&batches, &micro_batches, &devices})
        if (!*list) return fail(list->error());
    if (!memories) return fail(std::move(memories.error()));
    if (auto checked = check_batch(batches->empty() ? std::nullopt : std::optional(batches->back())); !checked)
        return fail(std::move(checked.error()));
    // Nothing but one mini-batch: how many devices pay.
    if (batches->size() == 1 && micro_batches->empty() && devices->empty() && memories->empty())
        devices = usual_stages(platform.classes.front().count);
    return Wanted{std::move(*batches), std::move(*micro_batches), std::move(*devices), std::move(*memories)};
}

/// Every combination, those with less memory and fewer devices first: their plans hold for more.
Result<std::vector<solve::TrainingCase>> cases_of(const Wanted& wanted, const platform::Platform& platform) {
    std::vector<solve::TrainingCase> cases;
    const std::vector<Bytes> memories = wanted.memories.empty() ? std::vector{Bytes{}} : wanted.memories;
    const Numbers devices = wanted.devices.empty() ? Numbers{platform.classes.front().count} : wanted.devices;
    for (const std::int64_t batch : wanted.batches)
        for (const Bytes memory : memories)
            for (const std::int64_t count : devices) {
                solve::TrainingCase made{.mini_batch = batch, .platform = platform};
                made.platform.classes.front().count = count;
                for (platform::DeviceClass& device : made.platform.classes)
                    if (memory.count > 0) {
                        device.fast_memory = memory;
                        device.overflow = platform::Overflow::hard;
                        device.spill_rate.reset();
                    }
                if (wanted.micro_batches.empty()) cases.push_back(made);
                for (const std::int64_t size : wanted.micro_batches)
                    if (batch % size == 0) {
                        made.micro_batch = size;
                        cases.push_back(made);
                    }
                if (cases.size() > kMostPoints) return fail(usage_error(std::format("the lists make more than {} rows", kMostPoints)));
            }
    if (cases.empty())
        return fail(usage_error("no number of --micro-batch divides one of --batch").fix("for example --batch 64 --micro-batch 1..64*2"));
    return cases;
}

/// "plan-b64-d8", and what else was listed: "plan-b64-d8-m17179869184-u4".
std::string stem_of(const solve::TrainingCase& of, bool memory) {
    std::string stem = std::format("plan-b{}-d{}", of.mini_batch, platform::device_count(of.platform));
    if (memory) stem += std::format("-m{}", of.platform.classes.front().fast_memory.count);
    if (of.micro_batch) stem += std::format("-u{}", *of.micro_batch);
    return stem;
}

}  // namespace

Result<Outcome> sweep_training(Session& session) {
    Terminal& terminal = session.terminal;
    Arguments arguments = session.arguments;
    if (!arguments.time && !arguments.evaluations) arguments.time = kDefaultSweepTime;  // plans say which limit ended them
    Session timed{arguments, terminal, session.start};
    if (arguments.method)
        if (auto known = training::find_planner(*arguments.method); !known) return fail(std::move(known.error()));
    if (arguments.output)
        if (auto made = make_folder(*arguments.output); !made) return fail(std::move(made.error()));

    InterruptGuard interrupt(terminal);
    auto model = load_model(session);
    if (!model) return fail(std::move(model.error()));
    auto platform = choose_platform(arguments, model->graph);
    if (!platform) return fail(std::move(platform.error()));
    auto costs = read_costs(arguments);
    if (!costs) return fail(std::move(costs.error()));
    auto wanted = wanted_by(arguments, *platform);
    if (!wanted) return fail(std::move(wanted.error()));
    auto cases = cases_of(*wanted, *platform);
    if (!cases) return fail(std::move(cases.error()));

    struct Shown {
        std::string title;
        Progress progress;
        Shown(Session& session, std::string text) : title(std::move(text)), progress(session, title) {}
    };
    std::list<Shown> shown;
    const auto observer_for = [&](std::size_t i) -> Observer& {
        const solve::TrainingCase& of = (*cases)[i];
        shown.emplace_back(session, std::format("sweep {}/{} batch={} devices={}", i + 1, cases->size(), of.mini_batch,
                                                platform::device_count(of.platform)));
        return shown.back().progress;
    };
    const solve::TrainingSolveOptions options{.method = arguments.method.value_or(""),
                                              .planner = training_options(arguments),
                                              .model = model->graph.fingerprint(),
                                              .gap = arguments.gap.value_or(0)};
    const auto optimizer = arguments.optimizer ? cost::optimizer_of(*arguments.optimizer) : std::nullopt;
    auto points = solve::sweep_training(
        {.graph = &model->graph, .costs = *costs ? &**costs : nullptr, .optimizer = optimizer.value_or(cost::Optimizer::adam)}, *cases,
        options, observer_for, limits_of(timed, interrupt.token()));
    terminal.clear_line();
    if (points.size() < cases->size())
        terminal.say(std::format("{} of {} cases have a row; the others did not start", points.size(), cases->size()));
    if (!points.empty() && points.front().frozen)
        for (const std::string& warning : points.front().frozen->report.warnings) terminal.warn(warning);

    PreparedTraining prepared{std::move(*model), {}, {}};
    const graph::Graph& graph = prepared.model.graph;
    std::size_t found = 0;
    for (solve::TrainingSweepPoint& point : points) {
        if (point.failure) point.failure = with_labels(std::move(*point.failure), graph);
        if (!point.result) continue;
        ++found;
        show_warnings(session, point.result->bounds.warnings);
        show_warnings(session, point.result->found.warnings);
        if (!arguments.output) continue;
        prepared.platform = point.of.platform;
        prepared.frozen = std::move(*point.frozen);
        const auto file = std::filesystem::path(*arguments.output) / (stem_of(point.of, !wanted->memories.empty()) + ".json");
        if (auto written = write_training(planned_training(timed, prepared, point.options, *point.result), file); !written)
            return fail(std::move(written.error()));
    }
    if (arguments.output)
        terminal.say(std::format("wrote {} with their certificates to {}", report::counted(found, "plan"), *arguments.output));

    Outcome outcome{arguments.json
                        ? report::training_sweep_json(points)
                        : std::format("{} on {}, training\n\n", report::printable(graph.name()), report::printable(platform->name)) +
                              report::training_sweep_text(points, ::isatty(STDOUT_FILENO) == 1)};
    if (found > 0) return outcome;
    if (points.empty()) {
        outcome.code = ExitCode::interrupted;
    } else {
        terminal.error(*points.back().failure);  // of the most devices: the one with the best chance
        outcome.code = exit_code_of(points.back().failure->kind);
    }
    return outcome;
}

}  // namespace sluice::cli
