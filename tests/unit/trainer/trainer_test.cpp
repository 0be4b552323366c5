#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <format>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "sluice/base/files.hpp"
#include "sluice/mcm/chip_faults.hpp"
#include "sluice/mcm/policy/network.hpp"
#include "sluice/trainer/checkpoint.hpp"
#include "sluice/trainer/corpus.hpp"
#include "sluice/trainer/training.hpp"
#include "sluice/trainer/validation.hpp"
#include "tests/support/chips.hpp"

namespace sluice::trainer {
namespace {

using mcm::policy::Architecture;
using mcm::policy::Head;

const Architecture kSmall{.head = Head::ordinal, .layers = 1, .width = 16, .passes = 1, .chips = 0, .spread = mcm::policy::kWide};

class Folder {
public:
    Folder() : path(std::filesystem::temp_directory_path() / std::format("sluice-trainer-test-{}", ::getpid())) {
        std::filesystem::create_directories(path);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

bool connected(const cost::StageProblem& costs) {
    std::vector<char> seen(costs.node_count());
    std::vector<std::size_t> stack{0};
    seen[0] = 1;
    std::size_t count = 0;
    while (!stack.empty()) {
        const std::size_t v = stack.back();
        stack.pop_back();
        ++count;
        for (const auto& row : {costs.predecessors[v], costs.successors[v]})
            for (const NodeId other : row)
                if (std::exchange(seen[other.index()], 1) == 0) stack.push_back(other.index());
    }
    return count == costs.node_count();
}

/// Any problem of up to 7 nodes on up to 4 chips that has a legal assignment under the adjacent rule, in one piece: there nothing is ever
/// taken back (chip_solver.hpp), so that what a walk draws from is all there is.
struct Tiny {
    cost::StageProblem costs;
    mcm::ChipProblem problem;
    mcm::policy::Features features;
};
std::unique_ptr<Tiny> tiny(std::uint64_t seed) {
    RandomStream random(seed);
    test::RandomProblemOptions options;
    options.min_operators = 3;
    options.max_operators = 7;
    for (;;) {
        auto made = std::make_unique<Tiny>();
        made->costs = test::random_problem(random, options, 4);
        made->problem = test::on_chips(made->costs, 2 + random.below(3), {.adjacent = true});
        auto features = mcm::policy::features_of(made->problem);
        if (!features || !connected(made->costs)) continue;
        made->features = *std::move(features);
        return made;
    }
}

/// How likely the walk ends at `chips`, and its choices: the solver is asked what is left before each node and then told.
std::vector<Choice> walk_to(const Tiny& tiny, const mcm::Assignment& chips, std::span<const NodeId> order, std::span<const float> logits) {
    mcm::ChipSolver solver(tiny.problem);
    mcm::Sample sample{.chips = chips, .log_probability = 0, .masks = {}, .counts = {}};
    for (const NodeId node : order) {
        sample.masks.push_back(solver.domain(node));
        const std::size_t depth = solver.depth();
        if (solver.decided(node)) continue;
        EXPECT_EQ(solver.restrict(node, std::uint64_t{1} << chips[node.index()]), depth + 1);
    }
    return choices_of(sample, order, logits);
}

TEST(Rollout, MaskedProbabilityIsTheShareAmongTheChipsLeft) {
    const std::vector<float> row{0, std::log(2.0F), std::log(5.0F), 40};
    EXPECT_NEAR(std::exp(masked_log_probability(row, 0b0111, 1)), 2.0 / 8, 1e-6);
    EXPECT_NEAR(std::exp(masked_log_probability(row, 0b0110, 2)), 5.0 / 7, 1e-6);
    EXPECT_NEAR(masked_log_probability(row, 0b0001, 0), 0, 1e-12);
}

TEST(Rollout, ProbabilitiesOfAllLegalAssignmentsSumToOne) {
    int many = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const auto tiny_problem = tiny(seed);
        const auto policy = mcm::policy::fresh_policy(kSmall, seed);
        const auto logits = mcm::policy::logits(policy, tiny_problem->features);
        RandomStream random(seed);
        const auto order = mcm::walk_order(tiny_problem->costs, mcm::WalkOrder::bisection, random);
        double sum = 0;
        const auto legal = test::legal_assignments(tiny_problem->problem);
        many += legal.size() > 3;
        for (const auto& chips : legal) {
            double log_p = 0;
            for (const Choice& choice : walk_to(*tiny_problem, chips, order, logits)) log_p += static_cast<double>(choice.log_probability);
            sum += std::exp(log_p);
        }
        EXPECT_NEAR(sum, 1, 1e-5) << seed;
    }
    EXPECT_GT(many, 20);
}

TEST(Rollout, ASampleIsAsLikelyAsItWasDrawn) {
    const auto costs = test::bert_like(4, false);
    const auto problem = test::on_chips(costs, 8, {.adjacent = true});
    const auto features = mcm::policy::features_of(problem);
    const auto policy = mcm::policy::fresh_policy(kSmall, 1);
    const auto logits = mcm::policy::logits(policy, *features), rows = mcm::policy::probabilities(policy, *features);
    mcm::ChipSolver solver(problem);
    RandomStream random(1);
    const auto order = mcm::walk_order(costs, mcm::WalkOrder::bisection, random);
    for (int i = 0; i < 10; ++i) {
        const auto drawn = mcm::sample(solver, rows, order, random);
        double sum = 0;
        for (const Choice& choice : choices_of(*drawn, order, logits)) {
            EXPECT_GE(std::popcount(choice.mask), 2);
            EXPECT_NE(choice.mask >> choice.chip & 1, 0U);
            sum += static_cast<double>(choice.log_probability);
        }
        EXPECT_NEAR(sum, drawn->log_probability, 1e-2);
    }
}

TEST(Rollout, EntropyOfEvenChoicesIsTheLogOfTheirNumber) {
    const std::vector<float> logits(8, 0.5F);  // 2 nodes x 4 chips
    const std::vector<Choice> choices{{0, 0, 0b1111, 0}, {1, 1, 0b0110, 0}};
    EXPECT_NEAR(entropy_of(choices, logits, 4), (std::log(4) + std::log(2)) / 2, 1e-9);
}

TEST(Ppo, WhatDoesNotCompileIsWorst) {
    mcm::Verdict good{.failure = {}, .period = Duration{100}, .latency = {}, .chip_times = {}}, bad = good, awful = good;
    bad.failure = mcm::CompileFailure{};
    awful.period = Duration{1'000'000};
    EXPECT_NEAR(reward_of(good, Duration{100}), std::log(100), 1e-9);
    EXPECT_EQ(reward_of(bad, Duration{100}), 0);
    EXPECT_EQ(reward_of(awful, Duration{100}), 0);
}

TEST(Ppo, AnOperatorIsToBlameForItsOwnChip) {
    // Two operators, three rollouts on two chips; the third tells nothing.
    const auto choice = [](std::uint32_t node, std::uint8_t chip) { return Choice{node, chip, 0b11, 0}; };
    std::vector<Rollout> rollouts{{{choice(0, 0), choice(1, 1)}, 0}, {{choice(0, 1), choice(1, 1)}, 0}, {{choice(0, 0)}, 0}};
    const std::vector<std::vector<double>> times{{10, 30}, {10, 50}, {}};  // the mean is 25
    blame(rollouts, times, 2, 2, 3);
    const auto own = [&](std::size_t r, std::size_t i) { return static_cast<double>(rollouts[r].choices[i].advantage); };
    // Shares of the mean, squared: operator 0 on 0.16 and 4, operator 1 on 1.44 and 4.
    const double first = (4 - 0.16) / 2, second = (4 - 1.44) / 2, scale = 3 / std::sqrt((first * first + second * second) / 2);
    EXPECT_NEAR(own(0, 0), first * scale, 1e-5);
    EXPECT_NEAR(own(1, 0), -first * scale, 1e-5);
    EXPECT_NEAR(own(0, 1), second * scale, 1e-5);
    EXPECT_NEAR(own(1, 1), -second * scale, 1e-5);
    EXPECT_EQ(own(2, 0), 0);
    // Nobody tells anything, or all chips are alike: nobody is to blame.
    for (auto& rollout : rollouts)
        for (auto& c : rollout.choices) c.advantage = 0;
    blame(rollouts, std::vector<std::vector<double>>(3), 2, 2, 3);
    EXPECT_EQ(own(0, 0), 0);
    blame(rollouts, std::vector<std::vector<double>>{{7, 7}, {7, 7}, {7, 7}}, 2, 2, 3);
    EXPECT_EQ(own(0, 0), 0);
}

TEST(Ppo, AdamTakesItsFirstStepsAtItsRate) {
    Adam adam(2);
    std::vector<float> weights{1, 1};
    adam.step(weights, std::vector<float>{3, -0.01F}, 0.1);
    EXPECT_NEAR(weights[0], 0.9, 1e-4);
    EXPECT_NEAR(weights[1], 1.1, 1e-4);
}

/// A gradient that is none, for what is around it.
Gradient still(const Architecture&, std::span<const float> weights, const mcm::policy::Features&, std::span<const Rollout* const> rollouts,
               const Objective&) {
    double sum = 0;
    for (const Rollout* rollout : rollouts) sum += rollout->advantage;
    return {0, 0, std::vector<float>(weights.size(), static_cast<float>(1e-3 * sum))};
}

TEST(Training, FinetuneCountsEvaluationsAndKeepsTheBest) {
    const auto instance = make_instance("zoo:chain:layers=20,width=1024", "mcm-36:devices=6", {});
    ASSERT_TRUE(instance) << instance.error().message;
    mcm::AnalyticJudge judge((*instance)->problem);
    TrainingOptions options = options_for(kSmall, true);
    const auto run = [&](std::uint64_t seed) {
        options.seed = seed;
        return *finetune(mcm::policy::fresh_policy(kSmall, 0), **instance, judge, 50, options, still, [](const Progress&) {});
    };
    const auto first = run(3), again = run(3), other = run(4);
    EXPECT_EQ(first.state.evaluations, 50U);
    EXPECT_FALSE(first.interrupted);
    EXPECT_EQ(first.state.now, again.state.now);
    EXPECT_EQ(first.state.curve, again.state.curve);
    EXPECT_NE(first.state.now, other.state.now);
    ASSERT_FALSE(first.state.best_chips.empty());
    EXPECT_TRUE(mcm::chip_faults((*instance)->problem, first.state.best_chips).empty());
    EXPECT_DOUBLE_EQ(static_cast<double>(mcm::bottleneck((*instance)->problem, first.state.best_chips).count()) * 1e-12,
                     first.state.best_value);
    EXPECT_DOUBLE_EQ(first.state.curve.back().value, first.state.best_value);
    EXPECT_EQ(first.state.curve.front().evaluations, 1U) << "the likeliest";
    ASSERT_FALSE(first.state.drawn.empty());
    EXPECT_GT(first.state.drawn.front().evaluations, 1U);
    EXPECT_GE(first.state.drawn.back().value, first.state.best_value);
    EXPECT_TRUE(std::ranges::is_sorted(first.state.drawn, std::ranges::greater_equal(), &CurvePoint::value));
}

/// The last layer is zero in an untrained policy: here it says something of both places and spreads.
mcm::policy::Policy outspoken(std::uint64_t seed) {
    auto policy = mcm::policy::fresh_policy(kSmall, seed);
    RandomStream random(seed, 5);
    for (const auto& part : mcm::policy::parts_of(policy.architecture))
        if (part.name.starts_with("output"))
            for (std::size_t i = 0; i < part.rows * part.columns; ++i)
                policy.weights[part.offset + i] = static_cast<float>(random.unit() - 0.5);
    return policy;
}

TEST(Validation, WithoutPlacesTheSpreadsStay) {
    const auto instance = make_instance("zoo:chain:layers=20,width=1024", "mcm-36:devices=6", {});
    ASSERT_TRUE(instance) << instance.error().message;
    const auto& features = (*instance)->features;
    const auto policy = outspoken(1), bare = mcm::policy::without_places(policy), fresh = mcm::policy::fresh_policy(kSmall, 1);
    const auto spoken = mcm::policy::logits(policy, features), kept = mcm::policy::logits(bare, features),
               prior = mcm::policy::logits(fresh, features);
    EXPECT_NE(spoken, kept);
    std::size_t moved = 0, wider = 0;
    for (std::size_t v = 0; v < features.nodes; ++v) {
        const auto likeliest = [&](const std::vector<float>& rows) {
            const std::span row(rows.data() + v * features.chips, features.chips);
            return std::ranges::max_element(row) - row.begin();
        };
        EXPECT_EQ(likeliest(kept), likeliest(prior)) << v;
        moved += likeliest(spoken) != likeliest(prior);
        // With the same place the logits are those of the prior times (prior spread / spread) squared, as long as tails are not met.
        wider += kept[v * features.chips] != prior[v * features.chips];
    }
    EXPECT_GT(moved, 0U);
    EXPECT_GT(wider, features.nodes / 2);
    auto categorical = mcm::policy::fresh_policy({.head = mcm::policy::Head::categorical, .layers = 1, .width = 16, .chips = 6}, 1);
    std::ranges::fill(categorical.weights, 0.5F);
    EXPECT_EQ(mcm::policy::without_places(categorical), categorical);
}

/// Refuses everything, or asks for a stop at the first.
class NoJudge final : public mcm::Judge {
public:
    explicit NoJudge(std::stop_source* stop = nullptr) : stop_(stop) {}
    Result<mcm::Verdict> judge(std::span<const std::uint8_t>) override {
        if (stop_ != nullptr) stop_->request_stop();
        mcm::Verdict verdict;
        verdict.failure.emplace();
        return verdict;
    }

private:
    std::stop_source* stop_;
};

TEST(Validation, DrawsAreCountedAlone) {
    const auto instance = make_instance("zoo:chain:layers=20,width=1024", "mcm-36:devices=6", {});
    ASSERT_TRUE(instance) << instance.error().message;
    mcm::AnalyticJudge judge((*instance)->problem);
    auto architecture = kSmall;
    architecture.spread = 16;  // no draw of a few is near equal work
    const auto policy = mcm::policy::fresh_policy(architecture, 0);
    const auto few = best_drawn(policy, **instance, judge, 3, 7), again = best_drawn(policy, **instance, judge, 3, 7),
               more = best_drawn(policy, **instance, judge, 60, 7);
    ASSERT_TRUE(few && again && more);
    EXPECT_EQ(*few, *again);
    EXPECT_LE(*more, *few);
    EXPECT_GT(*few, (*instance)->features.positions.period) << "equal work is not judged";
    const Instance* const one = instance->get();
    const auto score = validation_score(policy, {&one, 1}, 3, 7);
    ASSERT_TRUE(score);
    EXPECT_DOUBLE_EQ(*score, static_cast<double>(one->features.positions.period.count()) / static_cast<double>(few->count()));
    NoJudge refuses;
    Duration all{0};
    for (const Duration work : one->costs.classes.front().work) all += work;
    EXPECT_EQ(best_drawn(policy, *one, refuses, 3, 7).value(), all);
    std::stop_source stop;
    NoJudge stops(&stop);
    const auto stopped = best_drawn(policy, *one, stops, 3, 7, stop.get_token());
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind, DiagnosticKind::stopped);
}

TEST(Training, KeepsAPolicyWithoutItsPlacesWhereThatDrawsBetter) {
    std::vector<std::unique_ptr<Instance>> instances;
    for (const Split split : {Split::train, Split::validation}) {
        auto instance = make_instance("zoo:chain:layers=20,width=1024", "mcm-36:devices=6", {});
        ASSERT_TRUE(instance);
        (*instance)->split = split;
        instances.push_back(*std::move(instance));
    }
    TrainingOptions options = options_for(kSmall, false);
    options.updates = 0;
    options.validation_samples = 30;
    auto lost = outspoken(2);  // places at random, far off
    for (const auto& part : mcm::policy::parts_of(lost.architecture))
        if (part.name.starts_with("output"))
            for (std::size_t row = 0; row < part.rows; ++row) lost.weights[part.offset + row * part.columns] *= 20;
    const auto kept = train(lost, instances, options, still, [](const Progress&) {});
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_EQ(kept->state.best.weights, mcm::policy::without_places(lost).weights);
    EXPECT_EQ(kept->state.now.weights, lost.weights) << "training goes on with what it has";
}

TEST(Training, GoesOnFromACheckpointToTheSameResult) {
    const Folder folder;
    std::vector<std::unique_ptr<Instance>> instances;
    for (const auto& [model, split] : {std::pair{"zoo:chain:layers=12,width=2048", Split::train},
                                       {"zoo:residual:blocks=4,width=2048,inner=1024", Split::train},
                                       {"zoo:chain:layers=9,width=2048", Split::validation}}) {
        auto instance = make_instance(model, "mcm-36:devices=4", {.lift_memory = true});
        ASSERT_TRUE(instance);
        (*instance)->split = split;
        instances.push_back(*std::move(instance));
    }
    TrainingOptions options = options_for(kSmall, false);
    options.updates = 8;
    options.validate_every = 2;
    options.validation_samples = 10;
    options.checkpoint_every = 1;
    const auto policy = mcm::policy::fresh_policy(kSmall, 0);
    const auto whole = train(policy, instances, options, still, [](const Progress&) {});
    ASSERT_TRUE(whole) << whole.error().message;
    EXPECT_EQ(whole->state.curve.size(), 5U);

    options.checkpoint = folder.path / "c";
    std::stop_source stop;
    options.stop = stop.get_token();
    const auto part = train(policy, instances, options, still, [&](const Progress& p) {
        if (p.updates == 3) stop.request_stop();
    });
    ASSERT_TRUE(part);
    EXPECT_TRUE(part->interrupted);
    EXPECT_EQ(part->state.updates, 3U);
    options.stop = {};
    bool resumed = false;
    const auto rest =
        train(policy, instances, options, still, [&](const Progress& p) { resumed = resumed || p.kind == Progress::Kind::resumed; });
    ASSERT_TRUE(rest);
    EXPECT_TRUE(resumed);
    EXPECT_EQ(rest->state.now, whole->state.now);
    EXPECT_EQ(rest->state.best, whole->state.best);
    EXPECT_EQ(rest->state.curve, whole->state.curve);

    options.ppo.rate *= 2;
    const auto other = train(policy, instances, options, still, [](const Progress&) {});
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().message.find("another training"), std::string::npos);
}

TEST(Checkpoint, RefusesWhatIsNotWhole) {
    const Folder folder;
    const auto path = folder.path / "c";
    const auto policy = mcm::policy::fresh_policy(kSmall, 0);
    const State state{.settings = "s",
                      .now = policy,
                      .best = policy,
                      .adam = Adam(policy.weights.size()),
                      .updates = 3,
                      .evaluations = 60,
                      .best_value = 1.5,
                      .curve = {{1, 2, 3}},
                      .drawn = {{1, 4, 5}, {2, 6, 3}},
                      .best_chips = {1, 2}};
    ASSERT_TRUE(write_checkpoint(path, state));
    const auto back = read_checkpoint(path, "s");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->best_chips, state.best_chips);
    EXPECT_EQ(back->curve, state.curve);
    EXPECT_EQ(back->drawn, state.drawn);
    EXPECT_EQ(back->now, state.now);
    const std::string bytes = *read_file(path);
    for (const std::size_t size : {std::size_t{0}, std::size_t{30}, bytes.size() / 2, bytes.size() - 1}) {
        std::ofstream(path, std::ios::binary) << bytes.substr(0, size);
        EXPECT_FALSE(read_checkpoint(path, "s"));
    }
    std::string damaged = bytes;
    damaged[bytes.size() / 2] ^= 1;
    std::ofstream(path, std::ios::binary) << damaged;
    EXPECT_FALSE(read_checkpoint(path, "s"));
}

TEST(Corpus, DefaultHasTheGraphsItNamesSplitByFamily) {
    const Corpus& corpus = default_corpus();
    EXPECT_GE(corpus.entries.size(), 87U);
    std::map<std::string, std::set<Split>> splits;
    std::map<std::string, int> kinds;
    std::set<std::string> fingerprints;
    for (const CorpusEntry& entry : corpus.entries) {
        splits[entry.family].insert(entry.split);
        ++kinds[entry.kind];
        fingerprints.insert(entry.fingerprint);
        EXPECT_FALSE(entry.fingerprint.empty());
    }
    EXPECT_EQ(fingerprints.size(), corpus.entries.size());
    for (const auto& [family, used] : splits) EXPECT_EQ(used.size(), 1U) << family;
    EXPECT_EQ(kinds.size(), 3U);
    for (const auto& [kind, count] : kinds) EXPECT_NEAR(count, static_cast<double>(corpus.entries.size()) / 3, 2) << kind;
    // A few of them made: all would take seconds.
    int lifted = 0;
    for (std::size_t i = 0; i < corpus.entries.size(); i += 9) {
        const auto instance = make_instance(corpus.entries[i], corpus.platforms[i % corpus.platforms.size()], {});
        ASSERT_TRUE(instance) << corpus.entries[i].model << ": " << instance.error().message;
        EXPECT_TRUE(mcm::chip_faults((*instance)->problem, (*instance)->features.positions.chips).empty());
        if (!(*instance)->problem.sram) {  // lifted: judges know that, too
            const auto judge = make_judge(**instance, mcm::kPlanner);
            ASSERT_TRUE(judge);
            const auto verdict = (*judge)->judge((*instance)->features.positions.chips);
            EXPECT_TRUE(verdict && verdict->fits()) << corpus.entries[i].model;
            ++lifted;
        }
        if (corpus.entries[i].kind == "span-limited") {  // before rewrites, that is
            const auto plain = make_instance(corpus.entries[i].model, corpus.platforms[i % corpus.platforms.size()], {.lift_memory = true});
            ASSERT_TRUE(plain);
            EXPECT_LT((*plain)->features.positions.usable, 36U);
            EXPECT_GE((*instance)->features.positions.usable, (*plain)->features.positions.usable);
        }
    }
    EXPECT_GT(lifted, 0);
}

TEST(Corpus, RefusesWhatItCannotTrust) {
    const Folder folder;
    const auto refusal = [&](const std::string& text) {
        std::ofstream(folder.path / "c.json") << text;
        const auto read = read_corpus(folder.path / "c.json");
        return read ? std::string("accepted") : read.error().message;
    };
    const auto with = [](const std::string& graphs) {
        return R"({"format": "sluice.corpus/1", "platforms": ["mcm-36"], "graphs": [)" + graphs + "]}";
    };
    EXPECT_EQ(refusal(with(R"({"model": "zoo:chain", "family": "a", "split": "train"})")), "accepted");
    EXPECT_NE(refusal(R"({"format": "sluice.corpus/9", "platforms": [], "graphs": []})").find("9"), std::string::npos);
    EXPECT_NE(refusal(with("")).find("no graphs"), std::string::npos);
    EXPECT_NE(refusal(with(R"({"model": "zoo:chain", "family": "a", "split": "exam"})")).find("exam"), std::string::npos);
    EXPECT_NE(refusal(with(R"({"model": "a", "family": "a", "split": "train"}, {"model": "b", "family": "a", "split": "test"})"))
                  .find("two splits"),
              std::string::npos);
    EXPECT_NE(refusal("{"), "accepted");
    EXPECT_FALSE(read_corpus(folder.path / "none.json"));
    std::filesystem::remove(folder.path / "c.json");
    EXPECT_FALSE(read_corpus(folder.path));  // an empty folder
}

TEST(Corpus, NamesTheGraphThatIsBroken) {
    const Folder folder;
    std::ofstream(folder.path / "broken.onnx") << "no model";
    const auto corpus = read_corpus(folder.path);
    ASSERT_TRUE(corpus);
    const auto instance = make_instance(corpus->entries.front(), "mcm-36", {});
    ASSERT_FALSE(instance);
    EXPECT_NE(instance.error().notes.back().find("broken.onnx"), std::string::npos);
    CorpusEntry changed = default_corpus().entries.front();
    changed.fingerprint[0] = changed.fingerprint[0] == '0' ? '1' : '0';
    const auto other = make_instance(changed, "mcm-36", {});
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().message.find("not the graph"), std::string::npos);
}

}  // namespace
}  // namespace sluice::trainer
