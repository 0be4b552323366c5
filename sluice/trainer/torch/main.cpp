// sluice-trainer VERB key=value ...: what `sluice policy` starts. One JSON object a line on stdout; the last is "done" or "error". SIGTERM
// and SIGINT end it at the next update, with everything written.
//   train     output= [corpus= models= skip-broken=1 from=] and settings
//   finetune  model= platform= output= evaluations= [judge=simulator|planner rewrites=all|none from=] and settings
//   describe  model=... : what a corpus file says of each
// settings: updates= seed= threads= head= layers= width= passes= chips= spread= rate= entropy-floor= graphs= epochs= command=
#include <algorithm>
#include <chrono>
#include <csignal>
#include <format>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "sluice/base/files.hpp"
#include "sluice/mcm/policy/policy_file.hpp"
#include "sluice/trainer/torch/ppo_gradient.hpp"
#include "sluice/trainer/training.hpp"

namespace {

using namespace sluice;
using namespace sluice::trainer;
using mcm::policy::Policy;
using Json = nlohmann::ordered_json;

volatile std::sig_atomic_t asked = 0;

void say(const Json& line) { std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush; }

int refuse(const Diagnostic& d) {
    say({{"event", "error"},
         {"kind", static_cast<int>(d.kind)},
         {"message", d.message},
         {"file", d.where.file},
         {"line", d.where.line},
         {"notes", d.notes},
         {"help", d.help}});
    return d.kind == DiagnosticKind::stopped ? 130 : 1;
}

/// The words of the call; those nobody asked for are refused.
class Words {
public:
    Words(int argc, char** argv) {
        for (int i = 2; i < argc; ++i) {
            const std::string word = argv[i];
            const auto equals = word.find('=');
            given_.emplace_back(word.substr(0, equals), equals == std::string::npos ? "" : word.substr(equals + 1));
        }
    }
    std::optional<std::string> text(std::string_view key) {
        for (auto& [name, value] : given_)
            if (name == key) {
                known_[name] = true;
                return value;
            }
        return {};
    }
    std::vector<std::string> texts(std::string_view key) {
        std::vector<std::string> all;
        for (auto& [name, value] : given_)
            if (name == key) {
                known_[name] = true;
                all.push_back(value);
            }
        return all;
    }
    template <typename Number>
    void number(std::string_view key, Number& to) {
        const auto value = text(key);
        if (!value) return;
        try {
            std::size_t used = 0;
            const double parsed = std::stod(*value, &used);
            if (used == value->size() && parsed >= 0 && parsed < 9e15) {
                to = static_cast<Number>(parsed);
                return;
            }
        } catch (const std::exception&) { /* told below */
        }
        if (!fault_) fault_ = usage_error(std::format("{} is no number >= 0: '{}'", key, *value));
    }
    std::optional<Diagnostic> fault() const {
        if (fault_) return fault_;
        for (const auto& [name, value] : given_)
            if (!known_.contains(name)) return usage_error(std::format("sluice-trainer takes no '{}'", name));
        return {};
    }

private:
    std::vector<std::pair<std::string, std::string>> given_;
    std::map<std::string, bool> known_;
    std::optional<Diagnostic> fault_;
};

void on_progress(const Progress& p) {
    using Kind = Progress::Kind;
    const char* event = p.kind == Kind::resumed      ? "resumed"
                        : p.kind == Kind::update     ? "update"
                        : p.kind == Kind::validation ? "validation"
                                                     : "improvement";
    say({{"event", event},
         {"updates", p.updates},
         {"evaluations", p.evaluations},
         {"graph", p.graph},
         {"value", p.value},
         {"best", p.best},
         {"entropy", p.entropy},
         {"failed", p.failed}});
}

struct Setup {
    Policy policy;
    TrainingOptions options;
    std::filesystem::path output;
    std::string command;
};

/// What both kinds of training take.
Result<Setup> setup(Words& words, bool fine_tuning, const std::stop_token& stop) {
    Setup setup;
    mcm::policy::Architecture shape;
    const auto head = words.text("head");
    if (head == "categorical")
        shape.head = mcm::policy::Head::categorical;
    else if (head && head != "ordinal")
        return fail(usage_error(std::format("head is ordinal or categorical, not '{}'", *head)));
    if (shape.head == mcm::policy::Head::categorical) shape.chips = 36;
    words.number("layers", shape.layers);
    words.number("width", shape.width);
    words.number("passes", shape.passes);
    words.number("chips", shape.chips);
    words.number("spread", shape.spread);
    std::uint64_t seed = 0;
    int threads = 1;
    words.number("seed", seed);
    words.number("threads", threads);
    const auto from = words.text("from");
    if (from == "shipped") {
        setup.policy = mcm::policy::shipped_policy();
    } else if (from) {
        auto read = mcm::policy::read_policy(*from);
        if (!read) return fail(std::move(read.error()));
        setup.policy = *std::move(read);
    } else {
        if (auto checked = mcm::policy::check(shape); !checked) return fail(std::move(checked.error()));
        setup.policy = mcm::policy::fresh_policy(shape, seed);
    }
    setup.options = options_for(setup.policy.architecture, fine_tuning && from);
    setup.options.seed = seed;
    setup.options.stop = stop;
    if (!fine_tuning) setup.options.entropy_floor = 0.5;
    words.number("updates", setup.options.updates);
    words.number("rate", setup.options.ppo.rate);
    words.number("blame", setup.options.ppo.blame);
    words.number("power", setup.options.ppo.power);
    words.number("entropy-floor", setup.options.entropy_floor);
    words.number("graphs", setup.options.graphs);
    words.number("epochs", setup.options.ppo.epochs);
    const auto output = words.text("output");
    if (!output) return fail(usage_error("sluice-trainer needs output=FILE"));
    setup.output = *output;
    setup.options.checkpoint = *output + ".checkpoint";
    setup.command = words.text("command").value_or("");
    setup.options.settings = std::format("from {}", from.value_or("nothing"));
    use_threads(threads > 0 ? threads : 1);
    return setup;
}

Json curve_json(const std::vector<CurvePoint>& curve) {
    auto list = Json::array();
    for (const CurvePoint& point : curve)
        list.push_back({{"updates", point.updates}, {"evaluations", point.evaluations}, {"value", point.value}});
    return list;
}

int finish(Setup& setup, Result<TrainingResult> result, const std::string& corpus) {
    if (!result) return refuse(result.error());
    Policy best = result->state.best;
    best.provenance.corpus = corpus;
    best.provenance.command = setup.command;
    best.provenance.seed = setup.options.seed;
    if (auto written = mcm::policy::write_policy(setup.output, best); !written) return refuse(written.error());
    if (!result->interrupted) {
        std::error_code error;
        std::filesystem::remove(setup.options.checkpoint, error);
    }
    Json chips = Json::array();
    for (const std::uint8_t chip : result->state.best_chips) chips.push_back(static_cast<int>(chip));
    say({{"event", "done"},
         {"interrupted", result->interrupted},
         {"updates", result->state.updates},
         {"evaluations", result->state.evaluations},
         {"best", result->state.best_value},
         {"kept_from_update", best.provenance.updates},
         {"curve", curve_json(result->state.curve)},
         {"drawn", curve_json(result->state.drawn)},
         {"chips", std::move(chips)}});
    return 0;
}

int run_train(Words& words, const std::stop_token& stop) {
    auto prepared = setup(words, false, stop);
    if (!prepared) return refuse(prepared.error());
    const auto corpus_path = words.text("corpus");
    const std::filesystem::path models = words.text("models").value_or("");
    const bool skip_broken = words.text("skip-broken") == "1";
    if (const auto fault = words.fault()) return refuse(*fault);
    const auto read = corpus_path ? read_corpus(*corpus_path) : Result<Corpus>(default_corpus());
    if (!read) return refuse(read.error());

    std::vector<std::unique_ptr<Instance>> instances;
    std::string identity;
    for (std::size_t i = 0; i < read->entries.size() && !stop.stop_requested(); ++i) {
        const CorpusEntry& entry = read->entries[i];
        if (entry.split == Split::test) continue;
        auto instance = make_instance(entry, read->platforms[i % read->platforms.size()], models);
        if (!instance) {
            if (!skip_broken)
                return refuse(std::move(instance.error()).fix("mend or remove it, or leave such graphs out with --skip-broken"));
            say({{"event", "skipped"}, {"graph", entry.model}, {"why", instance.error().message}});
            continue;
        }
        identity += (*instance)->costs.fingerprint;
        say({{"event", "loaded"},
             {"graph", entry.model},
             {"platform", (*instance)->platform},
             {"nodes", (*instance)->costs.node_count()},
             {"usable", (*instance)->features.positions.usable},
             {"split", to_text(entry.split)}});
        instances.push_back(*std::move(instance));
    }
    if (stop.stop_requested()) return refuse({DiagnosticKind::stopped, "stopped before the training began", {}, {}, {}});
    prepared->options.settings += std::format("; corpus {} of {} graphs, {}", read->name, instances.size(), fingerprint_of(identity));
    auto result = train(prepared->policy, instances, prepared->options, ppo_gradient, on_progress);
    return finish(*prepared, std::move(result), read->name);
}

int run_finetune(Words& words, const std::stop_token& stop) {
    auto prepared = setup(words, true, stop);
    if (!prepared) return refuse(prepared.error());
    const auto model = words.text("model"), platform = words.text("platform");
    std::uint64_t evaluations = 1'000;
    words.number("evaluations", evaluations);
    const auto judge_name = words.text("judge").value_or(std::string(kSimulator));
    const bool rewrites = words.text("rewrites") != "none";
    if (const auto fault = words.fault()) return refuse(*fault);
    if (!model || !platform) return refuse(usage_error("sluice-trainer finetune needs model= and platform="));
    const auto instance = make_instance(*model, *platform, {.rewrites = rewrites});
    if (!instance) return refuse(instance.error());
    const auto& made = **instance;
    say({{"event", "loaded"},
         {"graph", *model},
         {"platform", *platform},
         {"nodes", made.costs.node_count()},
         {"usable", made.features.positions.usable},
         {"split", "train"}});
    prepared->options.settings += std::format("; {} on {}, {}, {} evaluations of {}, {} rewrites", *model, *platform,
                                              made.costs.fingerprint, evaluations, judge_name, rewrites ? "with" : "without");
    const auto judge = make_judge(made, judge_name);
    if (!judge) return refuse(judge.error());
    auto result = finetune(prepared->policy, made, **judge, evaluations, prepared->options, ppo_gradient, on_progress);
    return finish(*prepared, std::move(result), *model + " on " + *platform);
}

int run_describe(Words& words) {
    for (const std::string& model : words.texts("model")) {
        const auto instance = make_instance(model, "mcm-36", {.lift_memory = true, .rewrites = true});
        if (!instance) {
            say({{"event", "broken"}, {"graph", model}, {"why", instance.error().message}});
            continue;
        }
        const auto& costs = (*instance)->costs;
        std::vector<std::size_t> depth(costs.node_count(), 1);
        std::size_t longest = 1;
        for (std::size_t v = 0; v < depth.size(); ++v) {
            for (const NodeId before : costs.predecessors[v]) depth[v] = std::max(depth[v], depth[before.index()] + 1);
            longest = std::max(longest, depth[v]);
        }
        const std::size_t usable = (*instance)->features.positions.usable;
        const char* kind = usable < 36 ? "span-limited" : 2 * longest < depth.size() ? "branchy" : "chain";
        say({{"event", "graph"},
             {"graph", model},
             {"kind", kind},
             {"nodes", depth.size()},
             {"longest", longest},
             {"usable", usable},
             {"fingerprint", (*instance)->graph_fingerprint}});
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGTERM, [](int) { asked = 1; });
    std::signal(SIGINT, [](int) { asked = 1; });
    const std::string verb = argc > 1 ? argv[1] : "";
    Words words(argc, argv);
    // Polled: a handler may not request a stop itself.
    std::stop_source stop;
    const std::jthread watcher([&stop](const std::stop_token& end) {
        while (!end.stop_requested()) {
            if (asked != 0) stop.request_stop();
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
    });
    try {
        if (verb == "train") return run_train(words, stop.get_token());
        if (verb == "finetune") return run_finetune(words, stop.get_token());
        if (verb == "describe") return run_describe(words);
        return refuse(usage_error(std::format("sluice-trainer has no verb '{}'", verb)).fix("it is started by `sluice policy`"));
    } catch (const std::bad_alloc&) {
        return refuse(input_error("out of memory").fix("leave out the largest graphs"));
    } catch (const std::exception& error) {
        return refuse({DiagnosticKind::internal, std::format("libtorch: {}", error.what()), {}, {}, {}});
    }
}
