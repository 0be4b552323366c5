#include "sluice/graph/graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>

namespace sluice::graph {
namespace {

Tensor tensor(std::string name, std::int64_t bytes = 4) {
    return {.name = std::move(name),
            .type = DataType::f32,
            .shape = {},
            .shape_known = false,
            .shape_assumed = false,
            .bytes = {bytes},
            .model_output = false};
}
Parameter parameter(std::string name, std::int64_t bytes = 4) {
    return {.name = std::move(name), .type = DataType::f32, .shape = {}, .bytes = {bytes}};
}
Operator named(std::string name) {
    Operator op;
    op.name = std::move(name);
    op.type = "Relu";
    return op;
}
std::vector<std::size_t> numbers(std::span<const OperatorId> ids) {
    std::vector<std::size_t> result;
    for (OperatorId id : ids) result.push_back(id.index());
    return result;
}
using Numbers = std::vector<std::size_t>;

/// x -> a -> t -> {b, c} -> {u, v} -> d -> y, added in the order of `order` (letters), parameters w (b and c) and z (d).
Graph diamond(std::string_view order) {
    GraphBuilder builder("diamond");
    const TensorId x = builder.add_tensor(tensor("x")), t = builder.add_tensor(tensor("t", 100)), u = builder.add_tensor(tensor("u")),
                   v = builder.add_tensor(tensor("v")), y = builder.add_tensor(tensor("y"));
    const ParameterId w = builder.add_parameter(parameter("w")), z = builder.add_parameter(parameter("z"));
    GivenCosts costs;
    costs.classes.push_back({.name = "gpu", .count = 1, .memory = {}, .time = {}});
    for (char letter : order) {
        costs.classes[0].time.emplace_back(Duration{letter});
        costs.classes[0].backward.emplace_back(2 * letter);
        const Operator op = named(std::string(1, letter));
        if (letter == 'a') builder.add_operator(op, std::array{x}, std::array{t});
        if (letter == 'b') builder.add_operator(op, std::array{t, t}, std::array{u}, std::array{w, w});
        if (letter == 'c') builder.add_operator(op, std::array{t}, std::array{v}, std::array{w});
        if (letter == 'd') builder.add_operator(op, std::array{u, v}, std::array{y}, std::array{z});
    }
    builder.set_given_costs(costs);
    return std::move(builder).build().value();
}

TEST(Graph, AdjacencyOfADiamond) {
    const Graph g = diamond("abcd");
    const OperatorId a(0), b(1), c(2), d(3);
    EXPECT_EQ(g.operator_count(), 4u);
    EXPECT_EQ(numbers(g.successors(a)), (Numbers{1, 2}));
    EXPECT_EQ(numbers(g.predecessors(d)), (Numbers{1, 2}));
    EXPECT_EQ(numbers(g.consumers(TensorId(1))), (Numbers{1, 2}));
    EXPECT_EQ(numbers(g.users(ParameterId(0))), (Numbers{1, 2}));
    EXPECT_FALSE(g.producer(TensorId(0)).valid());
    EXPECT_EQ(g.producer(TensorId(3)), c);
    EXPECT_EQ(g.inputs(b).size(), 1u) << "a tensor listed twice is one input";
    EXPECT_EQ(g.parameters(b).size(), 1u) << "a parameter listed twice is one parameter";
    EXPECT_EQ(g.first_output_name(d), "y");
}

TEST(Graph, OperatorsAreNumberedTopologicallyWithTheSmallestInsertionNumberFirst) {
    const Graph g = diamond("dcba");
    std::string names;
    for (const Operator& op : g.operators()) names += op.name;
    EXPECT_EQ(names, "acbd");  // c was added before b
    for (std::size_t v = 0; v < 4; ++v) {
        EXPECT_EQ(g.given_costs()->classes[0].time[v], Duration{names[v]}) << "given times follow their operator";
        EXPECT_EQ(g.given_costs()->classes[0].backward[v], Duration{2 * names[v]});
    }
}

TEST(Graph, LabelsFallBackToTypeAndOutput) {
    GraphBuilder builder("labels");
    const TensorId y = builder.add_tensor(tensor("y"));
    builder.add_operator(named(""), {}, std::array{y});
    builder.add_operator(named(""), std::array{y}, {});
    builder.add_operator(named("head"), std::array{y}, {});
    const Graph g = std::move(builder).build().value();
    EXPECT_EQ(g.label(OperatorId(0)), "Relu -> 'y'");
    EXPECT_EQ(g.label(OperatorId(1)), "Relu #1");
    EXPECT_EQ(g.label(OperatorId(2)), "head");
    EXPECT_EQ(g.first_output_name(OperatorId(1)), "");
}

TEST(Graph, NamelessTensorsGetFreeNames) {
    GraphBuilder builder("nameless");
    const TensorId a = builder.add_tensor(tensor("")), b = builder.add_tensor(tensor("t0"));
    builder.add_operator(named("f"), std::array{a}, std::array{b});
    const Graph g = std::move(builder).build().value();
    EXPECT_FALSE(g[a].name.empty());
    EXPECT_EQ(g[b].name, "t0");
    EXPECT_NE(g[a].name, "t0");
}

TEST(Graph, CycleNamesOperatorsAndTensors) {
    GraphBuilder builder("cyclic");
    const TensorId x = builder.add_tensor(tensor("x")), p = builder.add_tensor(tensor("p")), q = builder.add_tensor(tensor("q")),
                   r = builder.add_tensor(tensor("r")), s = builder.add_tensor(tensor("s"));
    builder.add_operator(named("after"), std::array{r}, std::array{s});  // waits for the cycle, is not on it
    builder.add_operator(named("first"), std::array{x, q}, std::array{p});
    builder.add_operator(named("second"), std::array{p}, std::array{q, r});
    const auto built = std::move(builder).build();
    ASSERT_FALSE(built.has_value());
    const std::string text = to_text(built.error());
    for (const char* word : {"cycle of 2", "'first'", "'second'", "'p'", "'q'"}) EXPECT_NE(text.find(word), std::string::npos) << text;
    EXPECT_EQ(text.find("'after'"), std::string::npos) << text;
}

TEST(Graph, SelfLoopIsACycle) {
    GraphBuilder builder("loop");
    const TensorId x = builder.add_tensor(tensor("x"));
    builder.add_operator(named("narcissus"), std::array{x}, std::array{x});
    const auto built = std::move(builder).build();
    ASSERT_FALSE(built.has_value());
    EXPECT_NE(built.error().message.find("reads its own output 'x'"), std::string::npos) << built.error().message;
}

TEST(Graph, RefusesWhatNoPlannerCouldUse) {
    const auto message = [](auto&& fill) {
        GraphBuilder builder("bad");
        fill(builder);
        auto built = std::move(builder).build();
        return built ? std::string("built") : built.error().message;
    };
    constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
    const auto with_operator = [](GraphBuilder& b) { b.add_operator(named("f"), {}, {}); };
    EXPECT_NE(message([](GraphBuilder&) {}).find("no operators"), std::string::npos);
    EXPECT_NE(message([&](GraphBuilder& b) {
                  b.add_tensor(tensor("x", -1));
                  with_operator(b);
              }).find("'x' has -1 bytes"),
              std::string::npos);
    EXPECT_NE(message([&](GraphBuilder& b) {
                  Tensor x = tensor("x");
                  x.shape = {2, -1};
                  x.shape_known = true;
                  b.add_tensor(x);
                  with_operator(b);
              }).find("negative dimension"),
              std::string::npos);
    EXPECT_EQ(message([&](GraphBuilder& b) {
                  Tensor x = tensor("x");
                  x.shape = {2, -1};  // of a shape that is not known, a -1 may be left
                  b.add_tensor(x);
                  with_operator(b);
              }),
              "built");
    EXPECT_NE(message([&](GraphBuilder& b) {
                  Operator f = named("f");
                  f.features.flops = std::numeric_limits<double>::infinity();
                  b.add_operator(f, {}, {});
              }).find("inf FLOPs"),
              std::string::npos);
    for (const char* bad : {"\x80", "a\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x98", "\xff"})
        EXPECT_NE(message([&](GraphBuilder& b) {
                      b.add_tensor(tensor(bad));
                      with_operator(b);
                  }).find("UTF-8"),
                  std::string::npos)
            << "overlong, surrogate, too large, cut off, or no UTF-8 at all";
    EXPECT_EQ(message([&](GraphBuilder& b) {
                  b.add_tensor(tensor("é☃😀\xf4\x8f\xbf\xbf"));
                  with_operator(b);
              }),
              "built");
    EXPECT_NE(message([&](GraphBuilder& b) {
                  b.add_parameter(parameter("w", kHuge));
                  b.add_parameter(parameter("v", 1));
                  with_operator(b);
              }).find("2^63"),
              std::string::npos);
    EXPECT_EQ(message([&](GraphBuilder& b) {
                  b.add_parameter(parameter("w", kHuge));
                  with_operator(b);
              }),
              "built");
    EXPECT_NE(message([&](GraphBuilder& b) {
                  b.add_tensor(tensor("x"));
                  b.add_tensor(tensor("x"));
                  with_operator(b);
              }).find("two tensors are named 'x'"),
              std::string::npos);
    EXPECT_NE(message([&](GraphBuilder& b) {
                  const TensorId x = b.add_tensor(tensor("x"));
                  b.add_operator(named("f"), {}, std::array{x});
                  b.add_operator(named("g"), {}, std::array{x});
              }).find("'x' has two producers"),
              std::string::npos);
    EXPECT_NE(message([&](GraphBuilder& b) {
                  with_operator(b);
                  b.set_given_costs({.classes = {{.name = "gpu", .count = 1, .memory = {}, .time = {}}}, .transfer = {}, .link = {}});
              }).find("0 times"),
              std::string::npos);
    EXPECT_NE(
        message([&](GraphBuilder& b) {
            with_operator(b);
            b.set_given_costs({.classes = {{.name = "gpu", .count = 1, .memory = {}, .time = {Duration{-1}}}}, .transfer = {}, .link = {}});
        }).find("negative time"),
        std::string::npos);
    const auto with_backward = [&](std::vector<Duration> backward) {
        return message([&](GraphBuilder& b) {
            with_operator(b);
            b.set_given_costs({.classes = {{.name = "gpu",
                                            .count = 1,
                                            .memory = {},
                                            .time = std::vector<std::optional<Duration>>(1),
                                            .backward = std::move(backward)}},
                               .transfer = {},
                               .link = {}});
        });
    };
    EXPECT_NE(with_backward({Duration{1}, Duration{1}}).find("2 backward times"), std::string::npos);
    EXPECT_NE(with_backward({Duration{-1}}).find("negative backward time"), std::string::npos);
}

TEST(Graph, FingerprintIsOfWhatAPlanDependsOn) {
    const auto print = [](auto&& change) {
        Tensor x = tensor("x"), y = tensor("y");
        Parameter w = parameter("w");
        Operator f = named("f");
        GivenCosts costs{.classes = {{.name = "gpu", .count = 1, .memory = {}, .time = {Duration{5}}}}, .transfer = {}, .link = {}};
        change(x, y, w, f, costs);
        GraphBuilder builder("m");
        const TensorId xi = builder.add_tensor(x), yi = builder.add_tensor(y);
        const ParameterId wi = builder.add_parameter(w);
        builder.add_operator(f, std::array{xi}, std::array{yi}, std::array{wi});
        builder.set_given_costs(costs);
        return std::move(builder).build().value().fingerprint();
    };
    const std::string same = print([](auto&...) {});
    const auto wired = [](bool both) {  // two operators; the second reads x, or what the first makes too
        GraphBuilder builder("m");
        const TensorId x = builder.add_tensor(tensor("x")), y = builder.add_tensor(tensor("y"));
        builder.add_operator(named("f"), std::array{x}, std::array{y});
        builder.add_operator(named("g"), both ? std::vector{x, y} : std::vector{x}, {});
        return std::move(builder).build().value().fingerprint();
    };
    EXPECT_NE(wired(false), wired(true));
    EXPECT_EQ(same.size(), 32u);
    EXPECT_EQ(print([](auto&, auto&, auto&, Operator& f, auto&) { f.features.flops = 1e9; }), same);
    EXPECT_EQ(print([](auto&, auto&, auto&, Operator& f, auto&) { f.name = "renamed"; }), same);
    EXPECT_NE(print([](Tensor& x, auto&...) { x.bytes.count = 5; }), same);
    EXPECT_NE(print([](Tensor& x, auto&...) { x.shape = {1}; }), same);
    EXPECT_NE(print([](auto&, Tensor& y, auto&, auto&, auto&) { y.model_output = true; }), same);
    EXPECT_NE(print([](auto&, auto&, Parameter& w, auto&, auto&) { w.bytes.count = 5; }), same);
    EXPECT_NE(print([](auto&, auto&, auto&, Operator& f, auto&) { f.colour = 0; }), same);
    EXPECT_NE(print([](auto&, auto&, auto&, Operator& f, auto&) { f.replicated = true; }), same);
    EXPECT_NE(print([](auto&, auto&, auto&, auto&, GivenCosts& c) { c.classes[0].time[0] = Duration{6}; }), same);
    EXPECT_NE(print([](auto&, auto&, auto&, auto&, GivenCosts& c) { c.classes[0].backward = {Duration{6}}; }), same);
    EXPECT_NE(print([](auto&, auto&, auto&, auto&, GivenCosts& c) { c.classes[0].time[0] = std::nullopt; }), same);
    EXPECT_NE(print([](auto&, auto&, auto&, auto&, GivenCosts& c) { c.link = ByteRate{1}; }), same);
}

TEST(Graph, TenThousandOperatorsInAChainAddedBackwards) {
    constexpr std::size_t n = 10'000;
    GraphBuilder builder("chain");
    for (std::size_t i = 0; i <= n; ++i) builder.add_tensor(tensor(""));
    for (std::size_t i = n; i-- > 0;)
        builder.add_operator(named("op" + std::to_string(i)), std::array{TensorId(i)}, std::array{TensorId(i + 1)});
    const Graph g = std::move(builder).build().value();
    for (std::size_t v = 0; v < n; ++v) ASSERT_EQ(g[OperatorId(v)].name, "op" + std::to_string(v));
}

}  // namespace
}  // namespace sluice::graph
