#include "sluice/plan/validate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/unit/plan/sample.hpp"

namespace sluice::plan {
namespace {

using platform::Overflow;
using platform::StageModel;

class Validate : public testing::Test {
protected:
    void on(const sample::Machine& machine) { platform = sample::machine(machine); }
    Plan plan() const { return sample::plan(graph, platform); }
    std::vector<Diagnostic> failures(const Plan& p) const { return validate(p, graph, sample::freeze(graph, p.platform, p.stage_limit)); }

    /// The example after `change` fails, every failure is one of verification, and one of them says all of `parts`.
    void expect_failure(const std::function<void(Plan&)>& change, std::initializer_list<std::string_view> parts) {
        Plan changed = plan();
        change(changed);
        const auto found = failures(changed);
        std::string all;
        for (const Diagnostic& failure : found) {
            EXPECT_EQ(failure.kind, DiagnosticKind::verification);
            all += to_text(failure);
        }
        EXPECT_TRUE(std::ranges::any_of(found,
                                        [&](const Diagnostic& failure) {
                                            return std::ranges::all_of(
                                                parts, [&](std::string_view part) { return to_text(failure).contains(part); });
                                        }))
            << "found: " << all;
    }
    static auto take(std::vector<OperatorReference>& from, std::size_t index) {
        const auto at = std::ranges::find(from, OperatorId(index), &OperatorReference::id);
        OperatorReference reference = *at;
        from.erase(at);
        return reference;
    }

    graph::Graph graph = sample::model();
    platform::Platform platform = sample::machine();
};

TEST_F(Validate, HoldsForEveryRuleOfCost) {
    for (const auto model : {StageModel::serial, StageModel::overlap})
        for (const auto overflow : {Overflow::unlimited, Overflow::spill, Overflow::hard})
            for (const bool host : {false, true}) {
                on({.model = model, .overflow = overflow, .host = host});
                const auto found = failures(plan());
                EXPECT_TRUE(found.empty()) << to_text(found.front());
            }
}

/// The example's terms by hand, from design §3.1: the oracle that does not share code with the cost layer.
TEST_F(Validate, PredictedNumbersOfTheExample) {
    const Plan p = plan();
    const auto link = [](std::int64_t bytes) { return Duration{7 + 2 * bytes}; };
    // {a, c} on fast: reads x (free), sends ta and tc; holds w2 = 300 <= 350
    EXPECT_EQ(p.stages[0].predicted, (cost::StageTerms{.work = Duration{1900},
                                                       .in = Duration{0},
                                                       .out = link(100) + link(60),
                                                       .spill = Duration{0},
                                                       .parameters = {300},
                                                       .peak = {64 + 100 + 60}}));
    // {b} on slow: 1500 ps, w1 fits anywhere
    EXPECT_EQ(
        p.stages[1].predicted,
        (cost::StageTerms{
            .work = Duration{1500}, .in = link(100), .out = link(50), .spill = Duration{0}, .parameters = {400}, .peak = {100 + 50}}));
    // {d, e} on fast: tb and tc in, td and te out; w1 = 400 is 50 over, at 4 ps a byte
    EXPECT_EQ(p.stages[2].predicted, (cost::StageTerms{.work = Duration{1000},
                                                       .in = link(50) + link(60),
                                                       .out = link(80) + link(40),
                                                       .spill = Duration{200},
                                                       .parameters = {400},
                                                       .peak = {50 + 60 + 80 + 40}}));
    EXPECT_EQ(p.stages[3].predicted.work, Duration{1600});
    EXPECT_EQ(p.stages[3].predicted.in, link(80) + link(40) + link(100));
    EXPECT_EQ(p.stages[3].predicted.out, Duration{0});
    EXPECT_EQ(p.predicted.bottleneck, std::max({Duration{1900} + link(100) + link(60), Duration{1500} + link(100) + link(50)}));
}

TEST_F(Validate, EveryPredictedNumberIsRecomputed) {
    for (std::size_t s = 0; s < 4; ++s) {
        const std::string stage = "stage " + std::to_string(s);
        for (const std::int64_t off : {-1, 1}) {
            expect_failure([&](Plan& p) { p.stages[s].predicted.work += Duration{off}; }, {stage, "work"});
            expect_failure([&](Plan& p) { p.stages[s].predicted.in += Duration{off}; }, {stage, "transfer in"});
            expect_failure([&](Plan& p) { p.stages[s].predicted.out += Duration{off}; }, {stage, "transfer out"});
            expect_failure([&](Plan& p) { p.stages[s].predicted.spill += Duration{off}; }, {stage, "spill"});
            expect_failure([&](Plan& p) { p.stages[s].predicted.parameters += Bytes{off}; }, {stage, "parameters"});
            expect_failure([&](Plan& p) { p.stages[s].predicted.peak += Bytes{off}; }, {stage, "peak"});
        }
    }
    for (const std::int64_t off : {-1, 1}) {
        expect_failure([&](Plan& p) { p.predicted.bottleneck += Duration{off}; }, {"bottleneck"});
        expect_failure([&](Plan& p) { p.predicted.latency += Duration{off}; }, {"latency"});
        expect_failure([&](Plan& p) { p.predicted.peak_memory += Bytes{off}; }, {"peak memory"});
    }
}

TEST_F(Validate, ReportsEachFailure) {
    Plan p = plan();
    p.stages[0].predicted.work += Duration{1};
    p.stages[2].predicted.in += Duration{1};
    p.predicted.latency += Duration{1};
    EXPECT_EQ(failures(p).size(), 3u);
}

TEST_F(Validate, AnotherModel) {
    const graph::Graph other = sample::model("other", 1001);
    const Plan p = plan();
    const auto found = validate(p, other, sample::freeze(other, p.platform));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_NE(found[0].message.find("another model"), std::string::npos);
    EXPECT_NE(found[0].message.find(graph.fingerprint()), std::string::npos);
    EXPECT_NE(found[0].message.find(other.fingerprint()), std::string::npos);
}

TEST_F(Validate, AnotherPlatform) {
    Plan p = plan();
    p.platform.stage_link.latency += Duration{1};
    EXPECT_FALSE(failures(p).empty());
    p = plan();
    p.platform.model = StageModel::overlap;
    EXPECT_FALSE(failures(p).empty());
    p = plan();
    p.platform.classes[0].fast_memory = {349};
    EXPECT_FALSE(failures(p).empty());
}

TEST_F(Validate, ACycleOfStages) {
    // h reads ta of a: with h in stage 0, stage 0 -> ... -> 3 -> 0
    expect_failure([](Plan& p) { p.stages[0].operators.push_back(take(p.stages[3].operators, 8)); }, {"cycle"});
}

TEST_F(Validate, StagesOutOfOrder) {
    expect_failure([](Plan& p) { std::swap(p.stages[1], p.stages[2]); }, {"stage 1", "stage 2"});
}

TEST_F(Validate, OperatorsOutOfOrder) {
    expect_failure([](Plan& p) { std::ranges::reverse(p.stages[0].operators); }, {"stage 0"});
}

TEST_F(Validate, OperatorsMissingTwiceOrUnknown) {
    expect_failure([](Plan& p) { take(p.stages[2].operators, 5); }, {"operator 5", "'e'", "no stage"});
    expect_failure([](Plan& p) { p.stages[3].operators.push_back(p.stages[2].operators[1]); }, {"operator 5", "stage 2", "stage 3"});
    expect_failure([](Plan& p) { p.stages[1].operators[0].id = OperatorId(99); }, {"stage 1", "99", "0 to 8"});
    expect_failure([](Plan& p) { p.stages[1].operators[0].output = "tB"; }, {"stage 1", "'tB'", "'tb'"});
    expect_failure([](Plan& p) { p.stages.push_back({.operators = {}, .device_class = "slow", .replicas = 1, .predicted = {}}); },
                   {"stage 4", "empty"});
}

TEST_F(Validate, ReplicatedOperators) {
    expect_failure([](Plan& p) { p.replicated.clear(); }, {"operator 0", "'shape'"});
    expect_failure([](Plan& p) { p.replicated.push_back(p.replicated[0]); }, {"twice"});
    expect_failure([](Plan& p) { p.replicated.push_back({OperatorId(1), "ta"}); }, {"operator 1", "it is not"});
    expect_failure([](Plan& p) { p.stages[0].operators.insert(p.stages[0].operators.begin(), p.replicated[0]); },
                   {"stage 0", "operator 0"});
}

TEST_F(Validate, ColourClasses) {
    expect_failure([](Plan& p) { p.stages[2].operators.push_back(take(p.stages[3].operators, 6)); }, {"operator 7", "colour"});
    expect_failure([](Plan& p) { std::ranges::rotate(p.stages[3].operators, p.stages[3].operators.begin() + 1); }, {});
    // f, h, g: apart; g, f, h: in the wrong order
    expect_failure([](Plan& p) { std::swap(p.stages[3].operators[1], p.stages[3].operators[2]); }, {"stage 3", "operator 7", "apart"});
    expect_failure([](Plan& p) { std::swap(p.stages[3].operators[0], p.stages[3].operators[1]); },
                   {"stage 3", "operator 7", "before", "operator 6"});
}

TEST_F(Validate, Devices) {
    expect_failure([](Plan& p) { p.stages[1].device_class = "slaw"; }, {"stage 1", "'slaw'", "did you mean 'slow'"});
    expect_failure([](Plan& p) { p.stages[3].device_class = "slow"; }, {"stage 3", "'slow'"});  // h is not supported there
    expect_failure([](Plan& p) { p.stages[1].replicas = 2; }, {"at most 4"});
    expect_failure([](Plan& p) { p.stages[1].replicas = 0; }, {"stage 1", "0 replicas"});
    expect_failure([](Plan& p) { p.stages[1].replicas = std::numeric_limits<std::int64_t>::max(); }, {"stage 1", "replicas"});
    expect_failure([](Plan& p) { p.stage_limit = 3; }, {"at most 3"});
    expect_failure([](Plan& p) { p.cost_source = "analytic"; }, {"analytic", "given"});
}

TEST_F(Validate, HardMemory) {
    on({.model = StageModel::serial, .overflow = Overflow::hard, .host = false});
    EXPECT_TRUE(failures(plan()).empty());
    Plan p = plan();
    p.platform.classes[0].fast_memory = {300 + 64 + 100 + 60 - 1};  // stage 0 needs one byte more
    const auto found = failures(p);
    ASSERT_FALSE(found.empty());
    EXPECT_NE(found[0].message.find("stage 0"), std::string::npos) << found[0].message;
}

TEST_F(Validate, Bounds) {
    const auto with = [](Duration value, std::string kind, bool certified) {
        return [=](Plan& p) { p.bound = BoundClaim{.value = value, .kind = kind, .certified = certified}; };
    };
    const Duration bottleneck = plan().predicted.bottleneck;
    Plan p = plan();
    with(bottleneck, "cut", true)(p);
    EXPECT_TRUE(failures(p).empty());
    p.bound.reset();
    EXPECT_TRUE(failures(p).empty());
    expect_failure(with(bottleneck + Duration{1}, "cut", true), {"exceeds"});
    expect_failure(with(Duration{-1}, "cut", true), {"below zero"});
    expect_failure(with(Duration{1}, "guess", false), {"guess"});
    expect_failure(with(Duration{1}, "solver-claimed", true), {"never certified"});
}

TEST_F(Validate, PartitionAndBack) {
    const auto frozen = sample::freeze(graph, platform);
    const auto partition = partition_of(plan(), graph, frozen.problem);
    ASSERT_TRUE(partition) << to_text(partition.error());
    EXPECT_EQ(*partition, sample::partition(frozen.problem));
    Plan p = plan();
    p.stages[1].operators[0].output = "tB";
    EXPECT_FALSE(partition_of(p, graph, frozen.problem));
}

TEST(ValidateRewritten, APlanIsOfTheRewrittenGraph) {
    const graph::Graph model = sample::model();
    Plan plan = sample::rewritten_plan();
    EXPECT_EQ(plan.model.fingerprint, model.fingerprint());
    const auto graph = planned_graph(plan, model);
    ASSERT_TRUE(graph) << graph.error().message;
    const auto frozen = sample::freeze(*graph, plan.platform);
    EXPECT_TRUE(validate(plan, *graph, frozen).empty());
    EXPECT_TRUE(partition_of(plan, *graph, frozen.problem));
    // A graph with other rewrites is another graph.
    EXPECT_FALSE(validate(plan, model, sample::freeze(model, plan.platform)).empty());
    plan.rewrites.pop_back();
    const auto failures = validate(plan, *graph, frozen);
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_NE(failures[0].message.find("other rewrites"), std::string::npos);
    plan.rewrites[0].copied.output = "tx";
    const auto wrong = planned_graph(plan, model);
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().message.find("rewrite 0: operator 2 is said to make 'tx'"), std::string::npos);
    EXPECT_EQ(wrong.error().kind, DiagnosticKind::verification);
    EXPECT_FALSE(planned_graph(plan, sample::model("other", 1)));
}

}  // namespace
}  // namespace sluice::plan
