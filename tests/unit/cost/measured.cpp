// Measured costs: the file, how it names operators, and what it does to the frozen problem. Worked out by hand.
#include "sluice/cost/measured.hpp"

#include <gtest/gtest.h>

#include "sluice/cost/stage_problem.hpp"
#include "tests/unit/plan/sample.hpp"

namespace sluice::cost {
namespace {

Result<MeasuredCosts> read(std::string_view text) {
    auto document = json::parse(text, "costs.json");
    if (!document) return fail(document.error());
    return read_costs(*document);
}

/// A file with these entries.
std::string with(std::string_view entries) { return std::format(R"({{"format": "sluice.costs/1", "entries": [{}]}})", entries); }

void expect_refused(const std::string& text, std::string_view part) {
    const auto costs = read(text);
    ASSERT_FALSE(costs.has_value()) << text;
    EXPECT_NE(to_text(costs.error()).find(part), std::string::npos) << to_text(costs.error());
    EXPECT_NE(costs.error().where.line, 0u) << to_text(costs.error());
}

MeasuredEntry named(std::vector<std::string> operators, std::int64_t time) { return {std::move(operators), {}, Duration{time}, 0}; }
MeasuredEntry typed(std::string type, std::int64_t time) { return {{}, std::move(type), Duration{time}, 0}; }

TEST(MeasuredCosts, RoundTrips) {
    MeasuredCosts costs{"0123", "cpu", {{"cpu", "made \"up\""}, {"threads", "2"}}, {named({"a", "b"}, 12), typed("Conv", 0)}};
    costs.entries[0].spread = 0.1;
    costs.entries[1].passes = {{.samples = 1, .forward = Duration{5}},
                               {.samples = 8, .forward = Duration{7}, .input_gradient = Duration{0}, .weight_gradient = Duration{9}}};
    const std::string text = to_json_text(costs);
    const auto again = read(text);
    ASSERT_TRUE(again) << to_text(again.error());
    EXPECT_EQ(*again, costs);
    EXPECT_EQ(to_json_text(*again), text);
    EXPECT_EQ(*read(R"({"format": "sluice.costs/1", "model": null, "entries": [{"type": "Conv", "time_ps": 3}]})"),
              (MeasuredCosts{{}, {}, {}, {typed("Conv", 3)}}));
}

TEST(MeasuredCosts, RefusesWhatItCannotMean) {
    expect_refused(R"({"format": "sluice.costs/2", "entries": []})", "sluice.costs/");
    expect_refused(R"({"format": "sluice.costs/1"})", "entries");
    expect_refused(R"({"format": "sluice.costs/1", "entries": [], "modle": "x"})", "model");
    expect_refused(R"({"format": "sluice.costs/1", "entries": [], "machine": {"threads": 2}})", "string");
    expect_refused(with(R"({"operators": ["a"], "time": 3})"), "'time'");
    expect_refused(with(R"({"operators": ["a"]})"), "time_ps");
    expect_refused(with(R"({"operators": ["a"], "time_ps": -1})"), "");
    expect_refused(with(R"({"operators": ["a"], "time_ps": 1.5})"), "integer");
    expect_refused(with(R"({"operators": ["a"], "time_ps": 9223372036854775808})"), "");
    expect_refused(with(R"({"operators": ["a"], "time_ps": 1, "spread": -0.1})"), "spread");
    expect_refused(with(R"({"operators": ["a"], "time_ps": 1, "spread": 1e999})"), "");
    expect_refused(with(R"({"operators": [], "time_ps": 1})"), "either");
    expect_refused(with(R"({"operators": [], "type": "Conv", "time_ps": 1})"), "either");
    expect_refused(with(R"({"time_ps": 1})"), "either");
    expect_refused(with(R"({"operators": ["a"], "type": "Conv", "time_ps": 1})"), "either");
    expect_refused(with(R"({"operators": [""], "time_ps": 1})"), "empty");
    expect_refused(with(R"({"operators": [7], "time_ps": 1})"), "string");
    expect_refused(with(R"({"operators": ["a"], "time_ps": 1}, {"operators": ["b", "a"], "time_ps": 1})"), "twice");
    expect_refused(with(R"({"operators": ["a", "a"], "time_ps": 1})"), "twice");
    expect_refused(with(R"({"type": "Conv", "time_ps": 1}, {"type": "Conv", "time_ps": 2})"), "twice");
    EXPECT_TRUE(read(with(R"({"type": "Conv", "time_ps": 1}, {"operators": ["Conv"], "time_ps": 2})")));
    const auto passes = [](std::string_view items) {
        return with(std::format(R"({{"type": "Conv", "time_ps": 1, "passes": [{}]}})", items));
    };
    expect_refused(passes(R"({"samples": 0, "forward_ps": 1})"), "'samples' is 0");
    expect_refused(passes(R"({"samples": 16777217, "forward_ps": 1})"), "16777216");
    expect_refused(passes(R"({"samples": 2, "forward_ps": -1})"), "");
    expect_refused(passes(R"({"samples": 2})"), "forward_ps");
    expect_refused(passes(R"({"samples": 2, "forward_ps": 1, "weight_gradient_ps": -3})"), "");
    expect_refused(passes(R"({"samples": 2, "forward_ps": 1, "backward_ps": 3})"), "'backward_ps'");
    expect_refused(passes(R"({"samples": 2, "forward_ps": 1}, {"samples": 2, "forward_ps": 1})"), "2 samples come after");
    EXPECT_TRUE(read(passes("")));
}

/// "same" -> s0, "same" -> s1, "" -> s2, "s1" -> s3 (a name that is another's output), "own" -> s4
graph::Graph named_badly() {
    graph::GraphBuilder builder("badly-named");
    TensorId before = builder.add_tensor(sample::tensor("x", 8));
    for (const auto& [name, output] : {std::pair{"same", "s0"}, {"same", "s1"}, {"", "s2"}, {"s1", "s3"}, {"own", "s4"}}) {
        graph::Operator op;
        op.name = name;
        op.type = "Op";
        const TensorId made = builder.add_tensor(sample::tensor(output, 8));
        builder.add_operator(std::move(op), std::array{before}, std::array{made});
        before = made;
    }
    return std::move(builder).build().value();
}

TEST(OperatorNames, EachOperatorHasOneThatFindsIt) {
    const graph::Graph graph = named_badly();
    const OperatorNames names(graph);
    const std::array<std::string_view, 5> expected{"s0", "s1", "s2", "s3", "own"};
    for (std::size_t o = 0; o < expected.size(); ++o) {
        EXPECT_EQ(names.name_of(OperatorId(o)), expected[o]);
        EXPECT_EQ(names.find(expected[o]).value(), OperatorId(o));
    }
    EXPECT_EQ(names.find("s4").value(), OperatorId(4));  // by first output too
}

TEST(OperatorNames, SayWhatIsMeant) {
    const graph::Graph graph = named_badly();
    const OperatorNames names(graph);
    const auto repeated = names.find("same");
    ASSERT_FALSE(repeated);
    EXPECT_NE(to_text(repeated.error()).find("'s0', 's1'"), std::string::npos) << to_text(repeated.error());
    const auto absent = names.find("owm");
    ASSERT_FALSE(absent);
    EXPECT_NE(absent.error().help.find("'own'"), std::string::npos) << to_text(absent.error());
}

// --- applied to the sample model: 0 shape (free), 1 a 1000, 2 b 700, 3 c 900, 4 d 400, 5 e 600, 6 f 500 + 7 g 300 (a colour), 8 h 800
// -----------

FrozenProblem frozen(const MeasuredCosts& costs) {
    auto result = freeze(sample::model(), sample::machine(), sample::kStages, &costs);
    if (!result) ADD_FAILURE() << to_text(result.error());
    return result ? std::move(*result) : FrozenProblem{};
}

Diagnostic refused(const MeasuredCosts& costs) {
    const auto result = freeze(sample::model(), sample::machine(), sample::kStages, &costs);
    EXPECT_FALSE(result.has_value());
    return result ? Diagnostic{} : result.error();
}

std::int64_t work(const FrozenProblem& frozen, std::size_t op, std::size_t device = 0) {
    return frozen.problem.classes[device].work[frozen.problem.node_of[op].index()].count();
}

TEST(Measured, ReplacesTimesOfTheOperatorsItNames) {
    const FrozenProblem problem = frozen({{}, {}, {}, {named({"b"}, 70), named({"h"}, 0)}});
    EXPECT_EQ(work(problem, 1), 1000);
    EXPECT_EQ(work(problem, 2), 70);
    EXPECT_EQ(work(problem, 8), 0);
    EXPECT_EQ(work(problem, 2, 1), 1500);  // the other class keeps its own
    // 70 of 70 + 1000 + 900 + 400 + 600 + 800 = 3770
    EXPECT_EQ(problem.report.cost_source, "measured 1.9 %, given 98.1 % on 'fast', given elsewhere");
    ASSERT_TRUE(problem.costs);
    EXPECT_EQ(problem.costs->entries.size(), 2u);
}

TEST(Measured, IsForTheClassItNames) {
    const FrozenProblem problem = frozen({{}, "slow", {}, {named({"b"}, 70), named({"h"}, 9)}});
    EXPECT_EQ(work(problem, 2), 700);
    EXPECT_EQ(work(problem, 2, 1), 70);
    EXPECT_EQ(work(problem, 8, 1), 9);  // what was measured ran
    EXPECT_TRUE(problem.problem.classes[1].supported.contains(problem.problem.node_of[8].index()));
    const Diagnostic unknown = refused({{}, "slwo", {}, {named({"b"}, 70)}});
    EXPECT_NE(unknown.help.find("'slow'"), std::string::npos) << to_text(unknown);
}

TEST(Measured, ByTypeForAllThatNoOtherEntryNames) {
    const FrozenProblem problem = frozen({{}, {}, {}, {typed("Op", 5), named({"td"}, 70)}});
    EXPECT_EQ(work(problem, 1), 5);
    EXPECT_EQ(work(problem, 4), 70);
    EXPECT_EQ(work(problem, 6), 10);  // f and g
    EXPECT_EQ(problem.report.cost_source, "measured on 'fast', given elsewhere");
}

TEST(Measured, AGroupIsOneNodeWithOneTime) {
    // a -> {b, c} -> d: whoever holds a and d holds b and c.
    const FrozenProblem problem = frozen({{}, {}, {}, {named({"a", "d"}, 123)}});
    for (std::size_t op : {2, 3, 4}) EXPECT_EQ(problem.problem.node_of[op], problem.problem.node_of[1]);
    EXPECT_NE(problem.problem.node_of[5], problem.problem.node_of[1]);
    EXPECT_EQ(work(problem, 1), 123 + 700 + 900);
    EXPECT_EQ(work(problem, 1, 1), 2000 + 1500 + 1700 + 800);
}

TEST(Measured, GroupsAndColoursThatShareAnOperatorAreOne) {
    const FrozenProblem problem = frozen({{}, {}, {}, {named({"e", "f"}, 123)}});
    EXPECT_EQ(problem.problem.node_of[5], problem.problem.node_of[6]);
    EXPECT_EQ(problem.problem.node_of[5], problem.problem.node_of[7]);
    EXPECT_EQ(work(problem, 5), 123 + 300);
}

TEST(Measured, FreeOperatorsHaveNoTime) {
    const FrozenProblem problem = frozen({{}, {}, {}, {named({"shape", "b"}, 10)}});
    EXPECT_FALSE(problem.problem.node_of[0].valid());
    EXPECT_EQ(work(problem, 2), 10);
    const FrozenProblem alone = frozen({{}, {}, {}, {named({"shape"}, 10), named({"a"}, 1)}});
    ASSERT_EQ(alone.report.warnings.size(), 1u);
    EXPECT_NE(alone.report.warnings[0].find("free"), std::string::npos);
}

TEST(Measured, RefusesWhatDoesNotApply) {
    const std::string own = sample::model().fingerprint();
    EXPECT_EQ(work(frozen({own, {}, {}, {named({"a"}, 1)}}), 1), 1);
    EXPECT_NE(refused({"0123", {}, {}, {named({"a"}, 1)}}).message.find(own), std::string::npos);
    EXPECT_NE(refused({{}, {}, {}, {named({"a", "shap"}, 1)}}).help.find("'shape'"), std::string::npos);
    EXPECT_NE(refused({{}, {}, {}, {named({"a"}, 1), named({"b", "ta"}, 1)}}).message.find("twice"), std::string::npos);
    EXPECT_NE(refused({{}, {}, {}, {typed("Conv", 1)}}).message.find("nothing"), std::string::npos);
    EXPECT_NE(refused({{}, {}, {}, {}}).message.find("nothing"), std::string::npos);
    const Diagnostic large = refused({{}, {}, {}, {named({"a"}, kLargestTotal.count()), named({"b"}, kLargestTotal.count())}});
    EXPECT_NE(large.message.find("add up"), std::string::npos) << to_text(large);
}

TEST(Measured, TypesThatAreNotThereAreSaidAndLeftOut) {
    const FrozenProblem problem = frozen({{}, {}, {}, {typed("Op", 5), typed("Opp", 6), typed("Conv", 7)}});
    ASSERT_EQ(problem.report.warnings.size(), 1u);
    EXPECT_NE(problem.report.warnings[0].find("2 types"), std::string::npos) << problem.report.warnings[0];
    EXPECT_NE(problem.report.warnings[0].find("did you mean 'Op'?"), std::string::npos) << problem.report.warnings[0];
    EXPECT_EQ(problem.costs->entries, std::vector{typed("Op", 5)});
}

TEST(Measured, TenThousandOperatorsAreReadAndApplied) {
    graph::GraphBuilder builder("long");
    TensorId before = builder.add_tensor(sample::tensor("x", 8));
    MeasuredCosts costs;
    constexpr std::int64_t kOperators = 10'000;
    for (std::int64_t i = 0; i < kOperators; ++i) {
        graph::Operator op;
        op.name = std::format("op{}", i);
        const TensorId made = builder.add_tensor(sample::tensor(std::format("t{}", i), 8));
        builder.add_operator(std::move(op), std::array{before}, std::array{made});
        before = made;
        if (i % 4 == 3) costs.entries.push_back(named({std::format("op{}", i - 3), std::format("op{}", i)}, i));
    }
    const graph::Graph graph = std::move(builder).build().value();
    costs.model = graph.fingerprint();
    const auto again = read(to_json_text(costs));
    ASSERT_TRUE(again) << to_text(again.error());
    const auto problem = freeze(graph, sample::machine(), 64, &*again);
    ASSERT_TRUE(problem) << to_text(problem.error());
    EXPECT_EQ(problem->problem.node_count(), kOperators / 4);  // what lies between two of a group is in it
}

}  // namespace
}  // namespace sluice::cost
