#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <format>
#include <memory>
#include <thread>
#include <utility>

#include "cli/chips.hpp"
#include "sluice/base/files.hpp"
#include "sluice/base/json.hpp"
#include "sluice/mcm/rewrite/finish.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::cli {

namespace {

constexpr std::size_t kShownBytes = 300;  // bytes of what a command printed, in a diagnostic

std::string shown(const std::string& text) { return text.size() <= kShownBytes ? text : "..." + text.substr(text.size() - kShownBytes); }

class CommandJudge final : public mcm::Judge {
public:
    CommandJudge(const graph::Graph& model, const platform::Platform& platform, const cost::MeasuredCosts* measured,
                 CommandJudgeOptions options, const graph::Graph& graph, const mcm::ChipProblem& problem, runtime::Scratch scratch)
        : model_(model),
          platform_(platform),
          measured_(measured),
          options_(std::move(options)),
          graph_(graph),
          problem_(problem),
          scratch_(std::move(scratch)) {}

    Result<mcm::Verdict> judge(std::span<const std::uint8_t> chips) override {
        auto finished = mcm::finish(model_, graph_, problem_, chips, platform_, measured_, {.recompute = options_.recompute});
        if (!finished) return fail(std::move(finished.error()));
        const auto partition = solve::chip_partition(finished->frozen->problem, finished->chips);
        const plan::Plan plan =
            plan::make_plan(finished->graph, platform_, *finished->frozen, partition, finished->frozen->problem.classes.front().count);
        const std::string path = scratch_.path() / "plan.json";
        if (auto written = write_file(path, plan::to_json_text(plan)); !written) return fail(std::move(written.error()));
        auto ended = runtime::run_child({"/bin/sh", "-c", options_.command + " \"$0\"", path}, options_.stop, options_.patience);
        if (!ended) return fail(std::move(ended.error()));
        if (ended->stopped)
            return refuse(*ended, std::format("said nothing within {} s", options_.patience.count()),
                          "a larger --judge-time gives it longer");
        if (ended->signal != 0) return refuse(*ended, std::format("was ended by signal {}", ended->signal), {});
        if (ended->exit_code != 0) return refuse(*ended, std::format("ended with exit code {}", ended->exit_code), {});
        return verdict_of(*ended, chips, partition.stages.size());
    }

private:
    /// Somebody wishes the end. Ctrl-C at a terminal ends the command too, perhaps before word of it comes here.
    [[nodiscard]] bool interrupted(const runtime::ChildResult& ended) const {
        constexpr int kShell = 128;  // a shell's exit code for a signal, less the signal
        constexpr std::chrono::milliseconds kWord{200}, kLook{5};
        const bool told = std::ranges::any_of(std::array{SIGINT, SIGTERM},
                                              [&](int signal) { return ended.signal == signal || ended.exit_code == kShell + signal; });
        for (auto waited = kLook * 0; told && waited < kWord && !options_.stop.stop_requested(); waited += kLook)
            std::this_thread::sleep_for(kLook);
        return options_.stop.stop_requested();
    }

    [[nodiscard]] std::unexpected<Diagnostic> refuse(const runtime::ChildResult& ended, const std::string& what, std::string help) const {
        if (interrupted(ended)) return fail(Diagnostic{DiagnosticKind::stopped, "stopped while the judge was at work", {}, {}, {}});
        Diagnostic diagnostic = input_error(std::format("the judge '{}' {}", options_.command, what));
        if (!ended.err.empty()) diagnostic.notes.push_back("it said: " + shown(ended.err));
        if (ended.err.empty() && !ended.out.empty()) diagnostic.notes.push_back("it printed: " + shown(ended.out));
        diagnostic.help = std::move(help);
        return fail(std::move(diagnostic));
    }

    [[nodiscard]] Result<mcm::Verdict> verdict_of(const runtime::ChildResult& ended, std::span<const std::uint8_t> candidate,
                                                  std::size_t chips) const {
        const std::string form = "it must print one JSON object: {\"throughput_per_s\": 123.4}, or {\"fits\": false, \"why\": \"...\"}";
        const auto document = json::parse(ended.out, "the judge's output");
        if (!document) return refuse(ended, "printed no JSON: " + document.error().message, form);
        auto read = read_verdict(*document, candidate, chips);
        if (!read) return refuse(ended, "printed something else than a verdict: " + read.error().message, form);
        return read;
    }

    [[nodiscard]] Result<mcm::Verdict> read_verdict(const json::Node& document, std::span<const std::uint8_t> candidate,
                                                    std::size_t chips) const {
        mcm::Verdict verdict;
        if (const json::Node* fits = document.find("fits")) {
            const auto answer = fits->as_bool();
            if (!answer) return fail(answer.error());
            if (!*answer) return failure_of(document, candidate, chips);
        }
        const auto node = document.get("throughput_per_s");
        if (!node) return fail(node.error());
        const auto throughput = (*node)->as_number();
        if (!throughput) return fail(throughput.error());
        constexpr double kPicoseconds = 1e12;
        if (!(*throughput > 1e-6 && *throughput <= kPicoseconds))
            return fail(input_error(std::format("a throughput of {} a second", *throughput)));
        verdict.period = Duration(std::llround(kPicoseconds / *throughput));
        if (const json::Node* latency = document.find("latency_ps")) {
            const auto time = latency->as_count();
            if (!time) return fail(time.error());
            verdict.latency = Duration(*time);
        }
        if (const json::Node* times = document.find("chip_times_ps")) {
            const auto list = times->as_array();
            if (!list) return fail(list.error());
            if ((*list)->size() != chips)
                return fail(input_error(std::format("'chip_times_ps' has {} times, the plan {} chips", (*list)->size(), chips)));
            for (const json::Node& item : **list) {
                const auto time = item.as_count();
                if (!time) return fail(time.error());
                verdict.chip_times.emplace_back(*time);
            }
            verdict.chip_times.resize(problem_.chips, Duration(0));
        }
        return verdict;
    }

    [[nodiscard]] Result<mcm::Verdict> failure_of(const json::Node& document, std::span<const std::uint8_t> candidate,
                                                  std::size_t chips) const {
        mcm::CompileFailure failure{
            mcm::kUnknownChip, {DiagnosticKind::infeasible, "the judge says that the plan does not fit", {}, {}, {}}, {}};
        if (const json::Node* why = document.find("why")) {
            const auto text = why->as_string();
            if (!text) return fail(text.error());
            failure.why.message = *text;
        }
        if (const json::Node* chip = document.find("chip")) {
            const auto number = chip->as_count();
            if (!number) return fail(number.error());
            if (static_cast<std::size_t>(*number) >= chips)
                return fail(input_error(std::format("chip {} does not fit, and the plan has {}", *number, chips)));
            failure.chip = static_cast<std::size_t>(*number);
            for (std::size_t v = 0; v < candidate.size(); ++v)
                if (candidate[v] == failure.chip) failure.nodes.emplace_back(v);
        }
        return mcm::Verdict{.failure = std::move(failure), .period = {}, .latency = {}, .chip_times = {}};
    }

    const graph::Graph& model_;
    const platform::Platform& platform_;
    const cost::MeasuredCosts* measured_;
    const CommandJudgeOptions options_;
    const graph::Graph& graph_;
    const mcm::ChipProblem& problem_;
    const runtime::Scratch scratch_;
};

}  // namespace

mcm::MakeJudge command_judge(const graph::Graph& model, const platform::Platform& platform, const cost::MeasuredCosts* measured,
                             CommandJudgeOptions options) {
    return [&model, &platform, measured, options = std::move(options)](
               const graph::Graph& graph, const mcm::ChipProblem& problem) -> Result<std::unique_ptr<mcm::Judge>> {
        auto scratch = runtime::Scratch::make();
        if (!scratch) return fail(std::move(scratch.error()));
        return std::make_unique<CommandJudge>(model, platform, measured, options, graph, problem, *std::move(scratch));
    };
}

}  // namespace sluice::cli
