#include <algorithm>
#include <cmath>
#include <format>
#include <nlohmann/json.hpp>

#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/json.hpp"
#include "sluice/mcm/policy/policy_file.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/trainer/corpus.hpp"
#include "sluice/trainer/validation.hpp"

namespace sluice::cli {

namespace {

using mcm::policy::Policy;
using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kGrace{120};  // the update under way is finished, checkpoint and policy are written
constexpr std::string_view kRing = "mcm-36";

mcm::policy::Architecture shape_of(const Arguments& arguments) {
    mcm::policy::Architecture shape;
    if (arguments.head == "categorical") {
        shape.head = mcm::policy::Head::categorical;
        shape.chips = 36;
    }
    if (arguments.spread == "wide") shape.spread = mcm::policy::kWide;
    const auto set = [](std::uint32_t& to, const std::optional<std::int64_t>& given) {
        if (given) to = static_cast<std::uint32_t>(std::min<std::int64_t>(*given, 1 << 20));
    };
    set(shape.layers, arguments.layers);
    set(shape.width, arguments.width);
    set(shape.passes, arguments.passes);
    return shape;
}

/// Untrained: for as many chips as the platform has, where the head asks for a number.
Result<Policy> policy_of(const Arguments& arguments, std::size_t chips) {
    if (!arguments.policy || arguments.policy == "shipped") return mcm::policy::shipped_policy();
    if (arguments.policy != "none") return mcm::policy::read_policy(*arguments.policy);
    mcm::policy::Architecture shape = shape_of(arguments);
    if (shape.head == mcm::policy::Head::categorical) shape.chips = static_cast<std::uint32_t>(chips);
    if (auto checked = mcm::policy::check(shape); !checked) return fail(std::move(checked.error()));
    return mcm::policy::fresh_policy(shape, static_cast<std::uint64_t>(arguments.seed.value_or(0)));
}

std::string period_text(double seconds) { return to_text(Duration{static_cast<std::int64_t>(std::llround(seconds * 1e12))}); }

/// What the trainer says, line by line.
class TrainerLog {
public:
    TrainerLog(Terminal& terminal, std::string_view action) : terminal_(terminal), tuning_(action == "finetune") {}

    void on_line(std::string_view line) {
        const Json said = Json::parse(line, nullptr, false);
        if (!said.is_object() || !said.contains("event")) return;
        const std::string event = said.value("event", "");
        if (event == "loaded") {
            ++graphs_;
            live(std::format("policy: reading models, {}", graphs_));
        } else if (event == "skipped") {
            terminal_.warn(std::format("left out '{}': {}", said.value("graph", ""), said.value("why", "")));
        } else if (event == "resumed") {
            terminal_.say(std::format("goes on from its checkpoint, after {} updates", said.value("updates", 0)));
        } else if (event == "update") {
            live(std::format("policy: update {}  evaluations {}  {}  [{}]", said.value("updates", 0), said.value("evaluations", 0),
                             best_text(said), report::printable(said.value("graph", ""))));
        } else if (event == "validation") {
            moved(std::format("policy: update {}  validation {:.4f} of equal work  best {:.4f}", said.value("updates", 0),
                              said.value("value", 0.0), said.value("best", 0.0)));
        } else if (event == "improvement") {
            moved(std::format("policy: evaluation {}  best {}", said.value("evaluations", 0), period_text(said.value("value", 0.0))));
        } else if (event == "error" || event == "done") {
            last_ = said;
        }
    }
    [[nodiscard]] const Json& last() const { return last_; }
    [[nodiscard]] std::size_t graphs() const { return graphs_; }

private:
    [[nodiscard]] std::string best_text(const Json& said) const {
        const double best = said.value("best", 0.0);
        return tuning_ ? "best " + (best > 0 ? period_text(best) : std::string("none")) : std::format("best {:.4f}", best);
    }
    void live(const std::string& text) {
        if (terminal_.live()) terminal_.show_line(text.substr(0, terminal_.width() - 1));
    }
    void moved(const std::string& text) { terminal_.live() ? live(text) : terminal_.line(text); }

    Terminal& terminal_;
    bool tuning_;
    std::size_t graphs_ = 0;
    Json last_;
};

Diagnostic said_by_trainer(const Json& last, const runtime::ChildResult& child) {
    if (last.is_object() && last.value("event", "") == "error") {
        Diagnostic diagnostic{static_cast<DiagnosticKind>(std::clamp(last.value("kind", 0), 0, 5)), last.value("message", ""), {}, {}, {}};
        diagnostic.where.file = last.value("file", "");
        diagnostic.where.line = last.value("line", std::size_t{0});
        diagnostic.notes = last.value("notes", std::vector<std::string>{});
        diagnostic.help = last.value("help", "");
        return diagnostic;
    }
    Diagnostic died{DiagnosticKind::internal,
                    child.signal != 0 ? std::format("sluice-trainer was ended by signal {}", child.signal)
                                      : std::format("sluice-trainer ended with {} and said nothing of it", child.exit_code),
                    {},
                    {},
                    {}};
    const std::size_t line = child.err.find_last_not_of('\n');
    if (line != std::string::npos) died.notes.push_back(report::printable(child.err.substr(child.err.rfind('\n', line) + 1)));
    died.help = "the checkpoint beside -o is whole: the same command goes on from it";
    return died;
}

Result<Outcome> learn(Session& session, const std::string& action) {
    const Arguments& arguments = session.arguments;
    const bool tuning = action == "finetune";
    if (tuning && !arguments.model) return fail(usage_error("sluice policy finetune needs MODEL: which model"));
    if (!tuning && arguments.model) return fail(usage_error("sluice policy train takes no MODEL").fix("name models in a --corpus"));
    if (!arguments.output) return fail(usage_error(std::format("sluice policy {} needs -o FILE: where to write the policy", action)));
    if (auto checked = check_output(arguments.output); !checked) return fail(std::move(checked.error()));
    const auto trainer = runtime::find_trainer();
    if (!trainer) return fail(trainer.error());

    std::string command = std::format("sluice policy {}", action);
    std::vector<std::string> words{trainer->string(), action};
    const auto pass = [&](std::string_view key, std::string_view flag, const std::string& value) {
        words.push_back(std::format("{}={}", key, value));
        command += std::format(" --{} {}", flag, shell_word(value));
    };
    if (tuning) {
        command += " " + shell_word(*arguments.model);
        words.push_back("model=" + *arguments.model);
        pass("platform", "platform", arguments.platform.value_or(std::string(kRing)));
        pass("evaluations", "evals", std::to_string(arguments.evaluations.value_or(1'000)));
        pass("judge", "judge", arguments.judge.value_or(std::string(mcm::kSimulator)));
        pass("rewrites", "rewrites", arguments.rewrites.value_or("all"));
    } else {
        if (arguments.corpus) pass("corpus", "corpus", *arguments.corpus);
        if (arguments.models) pass("models", "models", *arguments.models);
        pass("updates", "updates", std::to_string(arguments.updates.value_or(100)));
        if (arguments.skip_broken) {
            words.emplace_back("skip-broken=1");
            command += " --skip-broken";
        }
    }
    const std::string from = arguments.policy.value_or(tuning ? "shipped" : "none");
    if (from == "none") {
        auto shape = shape_of(arguments);
        if (shape.head == mcm::policy::Head::categorical && tuning) {
            const auto platform = platform::load_platform(arguments.platform.value_or(std::string(kRing)));
            if (!platform) return fail(platform.error());
            shape.chips = static_cast<std::uint32_t>(std::min<std::int64_t>(platform::device_count(*platform), 1 << 20));
        }
        if (auto checked = mcm::policy::check(shape); !checked) return fail(std::move(checked.error()));
        if (shape.head == mcm::policy::Head::categorical) words.push_back(std::format("chips={}", shape.chips));
        pass("head", "head", std::string(to_text(shape.head)));
        pass("layers", "layers", std::to_string(shape.layers));
        pass("width", "width", std::to_string(shape.width));
        pass("passes", "passes", std::to_string(shape.passes));
        words.push_back(std::format("spread={}", shape.spread));
        command += std::format(" --spread {}", shape.spread == mcm::policy::kWide ? "wide" : "narrow");
        if (tuning) command += " --policy none";
    } else {
        const auto known = policy_of(arguments, 0);  // told here, before a program is started
        if (!known) return fail(known.error());
        pass("from", "policy", from);
    }
    pass("seed", "seed", std::to_string(arguments.seed.value_or(0)));
    pass("threads", "threads", std::to_string(arguments.threads.value_or(1)));
    command += std::format(" -o {}", shell_word(std::filesystem::path(*arguments.output).filename().string()));
    words.push_back("output=" + *arguments.output);
    words.push_back("command=" + command);

    InterruptGuard interrupt(session.terminal);
    TrainerLog log(session.terminal, action);
    const auto child =
        runtime::run_child(words, interrupt.token(), {}, {.on_line = [&](std::string_view line) { log.on_line(line); }, .grace = kGrace});
    session.terminal.clear_line();
    if (!child) return fail(child.error());
    const Json& last = log.last();
    if (!last.is_object() || last.value("event", "") != "done") return fail(said_by_trainer(last, *child));
    const bool interrupted = last.value("interrupted", false);
    const double best = last.value("best", 0.0);
    if (interrupted) session.terminal.say("stopped; the same command goes on from the checkpoint");
    if (arguments.json) return Outcome{json::to_file_text(last)};
    std::string text =
        tuning ? std::format("{} after {} updates, {} evaluations", best > 0 ? "best " + period_text(best) : "nothing compiled",
                             last.value("updates", 0), last.value("evaluations", 0))
               : std::format("{:.4f} of equal work on held-out models (update {} of {}, {} evaluations, {} models)", best,
                             last.value("kept_from_update", 0), last.value("updates", 0), last.value("evaluations", 0), log.graphs());
    return Outcome{std::format("{}; wrote {}\n", text, report::printable(*arguments.output))};
}

struct Trial {
    std::string model, platform;
    std::size_t nodes = 0, usable = 0;
    double policy = 0, untrained = 0;  // throughput over equal work's
};

Result<Trial> try_policy(const Arguments& arguments, const trainer::Instance& instance, std::string_view judge_name, const Policy& policy,
                         const std::stop_token& stop) {
    Trial trial{.model = instance.name,
                .platform = instance.platform,
                .nodes = instance.costs.node_count(),
                .usable = instance.features.positions.usable};
    const Policy fresh = mcm::policy::fresh_policy(policy.architecture, 0);
    for (const auto& [tried, ratio] : {std::pair{&policy, &trial.policy}, std::pair{&fresh, &trial.untrained}}) {
        const auto judge = trainer::make_judge(instance, judge_name);
        if (!judge) return fail(judge.error());
        const auto best = trainer::best_drawn(*tried, instance, **judge, arguments.evaluations.value_or(100),
                                              static_cast<std::uint64_t>(arguments.seed.value_or(0)), stop);
        if (!best) return fail(best.error());
        const auto equal_work = (*judge)->judge(instance.features.positions.chips);
        if (!equal_work) return fail(equal_work.error());
        // Where equal work does not compile, what it would be worth if it did.
        const Duration reference = equal_work->fits() ? equal_work->period : instance.features.positions.period;
        *ratio = static_cast<double>(reference.count()) / static_cast<double>(best->count());
    }
    return trial;
}

Result<Outcome> evaluate(Session& session) {
    const Arguments& arguments = session.arguments;
    InterruptGuard interrupt(session.terminal);
    std::vector<Trial> trials;
    const std::string judge_name = arguments.judge.value_or(std::string(arguments.model ? mcm::kSimulator : mcm::kPlanner));
    const auto add = [&](const Result<std::unique_ptr<trainer::Instance>>& instance) -> Result<void> {
        if (!instance) return fail(instance.error());
        const auto policy = policy_of(arguments, (*instance)->problem.chips);
        if (!policy) return fail(policy.error());
        auto trial = try_policy(arguments, **instance, judge_name, *policy, interrupt.token());
        if (!trial && trial.error().kind == DiagnosticKind::stopped) return {};  // half a trial says nothing
        if (!trial) return fail(std::move(trial.error()));
        trials.push_back(*std::move(trial));
        if (session.terminal.live()) session.terminal.show_line(std::format("policy: {} models tried", trials.size()));
        return {};
    };
    if (arguments.model) {
        if (auto added = add(trainer::make_instance(*arguments.model, arguments.platform.value_or(std::string(kRing)),
                                                    {.rewrites = arguments.rewrites != "none"}));
            !added)
            return fail(std::move(added.error()));
    } else {
        const auto corpus = arguments.corpus ? trainer::read_corpus(*arguments.corpus) : Result<trainer::Corpus>(trainer::default_corpus());
        if (!corpus) return fail(corpus.error());
        const bool tests = std::ranges::contains(corpus->entries, trainer::Split::test, &trainer::CorpusEntry::split);
        for (std::size_t i = 0; i < corpus->entries.size() && !interrupt.token().stop_requested(); ++i) {
            const trainer::CorpusEntry& entry = corpus->entries[i];
            if (tests && entry.split != trainer::Split::test) continue;
            if (auto added =
                    add(trainer::make_instance(entry, corpus->platforms[i % corpus->platforms.size()], arguments.models.value_or("")));
                !added) {
                if (!arguments.skip_broken) return fail(std::move(added.error()));
                session.terminal.warn(std::format("left out '{}': {}", entry.model, added.error().message));
            }
        }
    }
    if (trials.empty()) return fail(Diagnostic{DiagnosticKind::stopped, "stopped before a model was tried", {}, {}, {}});
    double policy = 0, untrained = 0;
    auto rows = Json::array();
    report::Table table{
        {{"model", report::Align::left, 48}, {"platform", report::Align::left}, {"operators"}, {"usable chips"}, {"policy"}, {"untrained"}},
        {}};
    for (const Trial& t : trials) {
        policy += std::log(t.policy) / static_cast<double>(trials.size());
        untrained += std::log(t.untrained) / static_cast<double>(trials.size());
        rows.push_back({{"model", t.model},
                        {"platform", t.platform},
                        {"operators", t.nodes},
                        {"usable_chips", t.usable},
                        {"policy", t.policy},
                        {"untrained", t.untrained}});
        table.rows.push_back({report::printable(t.model), t.platform, report::grouped(t.nodes), report::grouped(t.usable),
                              std::format("{:.4f}", t.policy), std::format("{:.4f}", t.untrained)});
    }
    if (arguments.json)
        return Outcome{json::to_file_text(Json{{"evaluations", arguments.evaluations.value_or(100)},
                                               {"policy", std::exp(policy)},
                                               {"untrained", std::exp(untrained)},
                                               {"models", std::move(rows)}})};
    table.rows.push_back(
        {"geometric mean", "", "", "", std::format("{:.4f}", std::exp(policy)), std::format("{:.4f}", std::exp(untrained))});
    return Outcome{std::format("throughput over equal work's, best of {}\n\n",
                               report::counted(static_cast<std::size_t>(arguments.evaluations.value_or(100)), "draw")) +
                   report::table_text(table)};
}

}  // namespace

Result<Outcome> run_policy(Session& session) {
    const std::string& action = *session.arguments.action;
    if (!session.arguments.model && (session.arguments.judge || session.arguments.rewrites))
        return fail(usage_error("a corpus is judged by the planners' cost, and not rewritten")
                        .fix("leave out --judge and --rewrites, or name a MODEL"));
    return action == "evaluate" ? evaluate(session) : learn(session, action);
}

}  // namespace sluice::cli
