// The certificate file, and the checker on a problem small enough to know by heart.
#include "sluice/bound/certificate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using bound::Certificate;
using bound::CutWitness;
using test::objection;
using test::read_certificate;

/// a(2) -t0:7-> b(3) -t1:9-> c(4): every border is dearer than the work, so one stage of 9 is the best there is.
cost::StageProblem chain_of_three() {
    graph::GraphBuilder builder("chain");
    graph::GivenCosts given;
    given.classes.push_back({.name = "d", .count = 4, .memory = {}, .time = {Duration{2}, Duration{3}, Duration{4}}});
    given.transfer = {Duration{7}, Duration{9}};
    std::vector<TensorId> t;
    for (const char* name : {"t0", "t1"}) {
        graph::Tensor tensor;
        tensor.name = name;
        t.push_back(builder.add_tensor(std::move(tensor)));
    }
    const auto op = [](std::string name) {
        graph::Operator result;
        result.name = std::move(name);
        return result;
    };
    builder.add_operator(op("a"), {}, std::vector{t[0]}, {});
    builder.add_operator(op("b"), std::vector{t[0]}, std::vector{t[1]}, {});
    builder.add_operator(op("c"), std::vector{t[1]}, {}, {});
    builder.set_given_costs(std::move(given));
    const auto graph = std::move(builder).build();
    return cost::freeze(*graph, platform::given_platform(*graph))->problem;
}

// Arcs as docs/formats/certificate.md numbers them: 0-2 work of a, b, c; t0: 3 in->a, 4 b->in, 5 a->out, 6 out->b; t1: 7 in->b, 8 c->in, 9
// b->out, 10 out->c.
Certificate known_cut(const cost::StageProblem& problem) {
    return {.problem = problem.fingerprint,
            .model = "m",
            .stages = 4,
            .max_replicas = 1,
            .value = Duration{9},
            .witness = CutWitness{.anchor = NodeId(1), .flows = {{0, 2}, {1, 3}, {2, 4}, {3, 2}, {4, 2}, {9, 4}, {10, 4}}}};
}

TEST(Checker, AcceptsAFlowWrittenByHand) {
    const auto problem = chain_of_three();
    EXPECT_EQ(objection(problem, known_cut(problem)), "");
    SilentObserver observer;
    const auto proven = bound::find_bound("auto").value()->prove(problem, {.stages = 4}, observer, {});
    ASSERT_TRUE(proven);
    EXPECT_EQ(proven->certificate.value, Duration{9});
    EXPECT_EQ(proven->certificate.kind(), "cut");
    EXPECT_EQ(objection(problem, proven->certificate), "");
}

TEST(Checker, NamesWhatIsWrong) {
    const auto problem = chain_of_three();
    const auto with = [&](auto change) {
        Certificate certificate = known_cut(problem);
        change(certificate, std::get<CutWitness>(certificate.witness));
        return objection(problem, certificate);
    };
    const auto contains = [](const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; };
    EXPECT_PRED2(contains, with([](auto& c, auto&) { c.value = Duration{10}; }), "witness proves 9 ps");
    EXPECT_PRED2(contains, with([](auto& c, auto&) { c.problem = "other"; }), "another problem");
    EXPECT_PRED2(contains, with([](auto& c, auto&) { c.stages = 0; }), "0 stages");
    EXPECT_PRED2(contains, with([](auto& c, auto&) { c.max_replicas = 0; }), "0 replicas");
    EXPECT_PRED2(contains, with([](auto& c, auto&) { c.max_replicas = 2; }), "witness proves 5 ps");
    EXPECT_PRED2(contains, with([](auto& c, auto&) { c.value = Duration{-1}; }), "negative");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.anchor = NodeId(3); }), "the problem has 3");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.anchor = NodeId(0); }), "vertex");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.flows[1].flow = 4; }), "its capacity is 3");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.flows[1].flow = -1; }), "negative flow");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.flows[2].flow = 3; }), "vertex");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.flows.push_back({11, 1}); }), "has no place");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { std::swap(w.flows[0], w.flows[1]); }), "has no place");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.flows.pop_back(); }), "vertex");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.scale = 0; }), "scale");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.scale = std::numeric_limits<std::int64_t>::max(); }), "scale");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.scale = 2; }), "witness proves 5 ps");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.in = 2; }), "weight 2");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.theta = 1; }), "never spills");
    EXPECT_PRED2(contains, with([](auto&, auto& w) { w.flows.assign({{1, std::numeric_limits<std::int64_t>::max()}}); }), "capacity");
}

TEST(Checker, OverlapWeightsMayNotExceedTheScale) {
    auto problem = chain_of_three();
    problem.model = cost::StageModel::overlap;
    Certificate certificate = known_cut(problem);
    EXPECT_NE(objection(problem, certificate).find("overlap with work"), std::string::npos);
}

TEST(Checker, APathBoundsTheLatencyOnly) {
    const auto problem = chain_of_three();
    Certificate certificate = known_cut(problem);
    certificate.objective = cost::Objective::latency;
    EXPECT_EQ(objection(problem, certificate), "") << "a bound on the bottleneck is one on the latency";
    certificate.witness = bound::LongestPathWitness{{NodeId(0), NodeId(1), NodeId(2)}};
    EXPECT_EQ(objection(problem, certificate), "");
    const auto with = [&](auto change) {
        Certificate changed = certificate;
        change(changed, std::get<bound::LongestPathWitness>(changed.witness).nodes);
        return objection(problem, changed);
    };
    EXPECT_NE(with([](auto& c, auto&) { c.objective = cost::Objective::throughput; }).find("not the bottleneck"), std::string::npos);
    EXPECT_NE(with([](auto& c, auto&) { c.max_replicas = 2; }).find("2 replicas"), std::string::npos);
    EXPECT_NE(with([](auto& c, auto&) { c.value = Duration{10}; }).find("proves 9 ps"), std::string::npos);
    EXPECT_NE(with([](auto&, auto& path) { path.erase(path.begin() + 1); }).find("does not follow"), std::string::npos);
    EXPECT_NE(with([](auto&, auto& path) { std::ranges::reverse(path); }).find("does not follow"), std::string::npos);
    EXPECT_NE(with([](auto&, auto& path) { path.push_back(path.back()); }).find("does not follow"), std::string::npos);
    EXPECT_NE(with([](auto&, auto& path) { path.emplace_back(3); }).find("the problem has 3"), std::string::npos);
    EXPECT_NE(with([](auto&, auto& path) { path.emplace_back(); }).find("the problem has 3"), std::string::npos);
    EXPECT_NE(with([](auto&, auto& path) { path.clear(); }).find("proves 0 ps"), std::string::npos);
    SilentObserver observer;
    const auto proven =
        bound::find_bound("combinatorial").value()->prove(problem, {.stages = 4, .objective = cost::Objective::latency}, observer, {});
    ASSERT_TRUE(proven);
    EXPECT_EQ(proven->certificate, (Certificate{.problem = problem.fingerprint,
                                                .model = {},
                                                .stages = 4,
                                                .value = Duration{9},
                                                .witness = certificate.witness,
                                                .objective = cost::Objective::latency}));
}

TEST(Checker, CombinatorialByHand) {
    const auto problem = chain_of_three();
    Certificate certificate = known_cut(problem);
    certificate.witness = bound::LargestOperatorWitness{NodeId(2)};
    certificate.value = Duration{4};
    EXPECT_EQ(objection(problem, certificate), "");
    certificate.value = Duration{5};
    EXPECT_NE(objection(problem, certificate), "");
    certificate.witness = bound::TotalWorkWitness{};
    certificate.value = Duration{3};  // ceil(9 / 4)
    EXPECT_EQ(objection(problem, certificate), "");
    certificate.stages = 2;
    certificate.value = Duration{5};
    EXPECT_EQ(objection(problem, certificate), "");
    certificate.stages = 100;  // there are 4 devices
    certificate.value = Duration{3};
    EXPECT_EQ(objection(problem, certificate), "");
    certificate.stages = 1;
    certificate.value = Duration{10};
    EXPECT_NE(objection(problem, certificate), "");
}

TEST(Checker, WaypointsByHand) {
    const auto problem = chain_of_three();  // of 2, 3 and 4
    Certificate certificate = known_cut(problem);
    const auto with = [&](std::vector<NodeId> nodes, std::int64_t stages, std::int64_t value) {
        certificate.witness = bound::WaypointsWitness{std::move(nodes)};
        certificate.stages = stages;
        certificate.value = Duration{value};
        return objection(problem, certificate);
    };
    EXPECT_EQ(with({}, 2, 5), "") << "9 by two stages";
    EXPECT_NE(with({}, 2, 6).find("do not refute 5 ps: their parts need 2 devices, there are 2"), std::string::npos);
    EXPECT_EQ(with({NodeId(1)}, 3, 4), "") << "below 4: two stages up to b, three from b on, one of them for both";
    EXPECT_NE(with({NodeId(1)}, 4, 4), "");
    EXPECT_NE(with({}, 3, 4), "");
    EXPECT_NE(with({NodeId(1)}, 3, 5), "");
    EXPECT_EQ(with({NodeId(0), NodeId(2)}, 2, 5), "");
    EXPECT_NE(with({NodeId(2), NodeId(0)}, 2, 5).find("lies on no way"), std::string::npos);
    EXPECT_NE(with({NodeId(3)}, 2, 1).find("the problem has 3"), std::string::npos);
    EXPECT_NE(with({NodeId{}}, 2, 1).find("the problem has 3"), std::string::npos);
    EXPECT_EQ(with({}, 4, 0), "");
    certificate.transfers = false;
    EXPECT_EQ(with({NodeId(1)}, 3, 4), "") << "nor do copies help";
    certificate.transfers = true;
    certificate.max_replicas = 2;
    EXPECT_NE(with({NodeId(1)}, 3, 4), "") << "two devices may serve b";
}

TEST(Checker, TrianglesByHand) {
    // a feeds b and c, b feeds c: where the triangle rule holds, the three are on two chips.
    graph::GraphBuilder builder("triangle");
    graph::GivenCosts given;
    given.classes.push_back({.name = "d", .count = 4, .memory = {}, .time = {Duration{2}, Duration{3}, Duration{4}, Duration{8}}});
    given.transfer = {Duration{7}, Duration{9}, Duration{1}};
    std::vector<TensorId> t;
    for (const char* name : {"t0", "t1", "t2"}) {
        graph::Tensor tensor;
        tensor.name = name;
        t.push_back(builder.add_tensor(std::move(tensor)));
    }
    const auto add = [&](const char* name, std::vector<TensorId> inputs, std::vector<TensorId> outputs) {
        graph::Operator op;
        op.name = name;
        builder.add_operator(std::move(op), inputs, outputs, {});
    };
    add("a", {}, {t[0]});
    add("b", {t[0]}, {t[1]});
    add("c", {t[0], t[1]}, {t[2]});
    add("d", {t[2]}, {});
    builder.set_given_costs(std::move(given));
    const auto graph = std::move(builder).build();
    const auto problem = cost::freeze(*graph, platform::given_platform(*graph))->problem;
    Certificate certificate{.problem = problem.fingerprint,
                            .model = "m",
                            .stages = 4,
                            .max_replicas = 1,
                            .value = Duration{5},
                            .witness = bound::TriangleWitness{NodeId(0), NodeId(2)}};
    const auto on_ring = [&](const Certificate& shown) {
        return test::first_of(bound::check_certificate(problem, shown, {}, bound::Partitions::triangle));
    };
    EXPECT_EQ(on_ring(certificate), "") << "(2 + 3 + 4) / 2";
    EXPECT_NE(objection(problem, certificate).find("on a ring of chips without rewrites alone"), std::string::npos);
    certificate.value = Duration{6};
    EXPECT_NE(on_ring(certificate).find("its witness proves 5 ps"), std::string::npos);
    certificate.value = Duration{5};
    certificate.transfers = false;
    EXPECT_NE(on_ring(certificate).find("without rewrites alone"), std::string::npos);
    certificate.transfers = true;
    certificate.witness = bound::TriangleWitness{NodeId(0), NodeId(3)};
    EXPECT_NE(on_ring(certificate).find("node 0 does not feed node 3"), std::string::npos);
    certificate.witness = bound::TriangleWitness{NodeId(0), NodeId(4)};
    EXPECT_NE(on_ring(certificate).find("the problem has 4"), std::string::npos);
    certificate.witness = bound::TriangleWitness{NodeId(), NodeId(2)};
    EXPECT_NE(on_ring(certificate).find("the problem has 4"), std::string::npos);
}

TEST(Checker, LinearProgramByHand) {
    const auto problem = chain_of_three();
    Certificate certificate = known_cut(problem);
    // Two stages below 9: a in the first, c in the last, so at least one border is crossed. Rows: 0, 1 cost; 2-5 t0: out, in for each
    // block; 6-9 t1; 10-12 order of b after a, c after b, and the borders, 12 and 13.
    const auto with = [&](std::vector<bound::LinearProgramWitness::Row> rows, std::int64_t threshold, std::int64_t value) {
        certificate.witness =
            bound::LinearProgramWitness{.blocks = {1, 2}, .threshold = Duration{threshold}, .unit = 1, .rows = std::move(rows)};
        certificate.value = Duration{value};
        return objection(problem, certificate);
    };
    // (T - work) + (2T - work) >= 0: T >= 9 / 3.
    EXPECT_EQ(with({{0, 1}, {1, 1}}, 8, 3), "");
    EXPECT_NE(with({{0, 1}, {1, 1}}, 8, 4).find("witness proves 3 ps"), std::string::npos);
    EXPECT_NE(with({{0, 1}, {1, 1}}, 1, 4), "") << "no more than the threshold and 1";
    EXPECT_EQ(with({}, 1, 2), "") << "all before c and c take 9, three stages 3";
    EXPECT_NE(with({{400, 1}}, 8, 0).find("has no row"), std::string::npos);
    EXPECT_NE(with({{0, -1}}, 8, 0).find("negative"), std::string::npos);
    certificate.witness = bound::LinearProgramWitness{.blocks = {1, 1}, .threshold = Duration{8}, .rows = {}};
    EXPECT_NE(objection(problem, certificate).find("fewer than 3"), std::string::npos) << "three stages are possible";
    certificate.witness = bound::SolverClaimWitness{.solver = "S 1", .blocks = {1, 1, 1}, .threshold = Duration{8}};
    certificate.value = Duration{0};
    EXPECT_NE(objection(problem, certificate).find("nothing to check"), std::string::npos);
}

TEST(CertificateFile, RoundTrip) {
    const auto problem = chain_of_three();
    Certificate certificate = known_cut(problem);
    for (const bound::Witness& witness :
         {certificate.witness, bound::Witness{bound::TotalWorkWitness{}}, bound::Witness{bound::LargestOperatorWitness{NodeId(2)}},
          bound::Witness{bound::LongestPathWitness{{NodeId(0), NodeId(2)}}}, bound::Witness{bound::WaypointsWitness{}},
          bound::Witness{bound::WaypointsWitness{{NodeId(0), NodeId(2)}}}, bound::Witness{bound::TriangleWitness{NodeId(0), NodeId(2)}},
          bound::Witness{bound::LinearProgramWitness{
              .blocks = {1, 2, 1}, .threshold = Duration{17}, .unit = 3, .rows = {{0, 5}, {7, std::int64_t{1} << 60}}}},
          bound::Witness{bound::CoveringWitness{.serial = {.scale = 3, .work = 2, .transfer = 1, .merges = {{NodeId(1), NodeId(2)}}},
                                                .order = {NodeId(0), NodeId(1), NodeId(3)},
                                                .theta_halves = 1,
                                                .weights = {0, 17, bound::kLargestCoveringWeight},
                                                .uncharged = {0, 2},
                                                .labels = bound::kMostCoveringLabels}},
          bound::Witness{bound::SolverClaimWitness{.solver = "S 1", .blocks = {4}, .threshold = Duration{8}}},
          bound::Witness{CutWitness{.anchor = NodeId(0), .scale = 48, .work = 20, .in = 10, .out = 18, .theta = 7, .flows = {}}}}) {
        certificate.witness = witness;
        certificate.objective =
            std::holds_alternative<bound::LongestPathWitness>(witness) ? cost::Objective::latency : cost::Objective::throughput;
        const std::string text = to_json_text(certificate, true);
        const auto again = read_certificate(text);
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(*again, certificate);
        EXPECT_EQ(to_json_text(*again, true), text);
    }
}

TEST(CertificateFile, WithoutAnObjectiveIsForThroughput) {
    const auto problem = chain_of_three();
    std::string text = to_json_text(known_cut(problem), true);
    const std::string line = "\"objective\": \"throughput\",";
    ASSERT_NE(text.find(line), std::string::npos);
    text.erase(text.find(line), line.size());
    const auto again = read_certificate(text);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, known_cut(problem));
}

TEST(CertificateFile, RefusesWhatItDoesNotKnow) {
    const auto problem = chain_of_three();
    const std::string good = to_json_text(known_cut(problem), false);
    ASSERT_TRUE(read_certificate(good));
    const auto with = [&](std::string_view from, std::string_view to) {
        std::string text = good;
        const auto at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        text.replace(at, from.size(), to);
        const auto result = read_certificate(text);
        EXPECT_FALSE(result) << from << " -> " << to;
        if (result) return std::string("accepted");
        EXPECT_EQ(result.error().kind, DiagnosticKind::input);
        EXPECT_EQ(result.error().where.file, "certificate.json");
        EXPECT_GT(result.error().where.line, 0u) << result.error().message;
        return to_text(result.error());
    };
    EXPECT_NE(with("\"max_replicas\"", "\"max_replica\"").find("max_replicas"), std::string::npos) << "the nearest key is named";
    with("sluice.certificate/1", "sluice.certificate/2");
    with("sluice.certificate/1", "sluice.plan/1");
    with("\"stages\": 4", "\"stages\": 0");
    with("\"throughput\"", "\"speed\"");
    with("\"throughput\"", "1");
    with("\"stages\": 4", "\"stages\": 4.5");
    with("\"stages\": 4", "\"stages\": 99999999999999999999");
    with("\"value_ps\": 9", "\"value_ps\": -9");
    with("\"value_ps\": 9", "\"value_ps\": \"9\"");
    with("\"kind\": \"cut\"", "\"kind\": \"combinatorial\"");
    with("\"certified\": false", "\"certified\": 0");
    with("\"anchored-cut\"", "\"anchored-cut2\"");
    with("\"anchor\": 1", "\"anchor\": 4294967295");
    with("\"anchor\": 1", "\"anchor\": -1");
    with("\"scale\": 1", "\"scale\": 0");
    with("\"scale\": 1", "\"scale\": 1048577");
    with("\"theta\": 0", "\"theta\": 2");
    with("\"theta\": 0", "\"theta\": 0, \"extra\": 1");
    with("\"arcs\": [0, 1,", "\"arcs\": [1, 0,");
    with("\"arcs\": [0, 1,", "\"arcs\": [0, 0,");
    with("\"arcs\": [0, 1,", "\"arcs\": [0, 1, 1.5,");
    with("\"arcs\": [0, 1,", "\"arcs\": [0,");
    with("\"flows\": [2,", "\"flows\": [0,");
    with("\"flows\": [2,", "\"flows\": [-2,");
    for (std::size_t length = 0; length + 2 < good.size(); ++length)
        EXPECT_FALSE(read_certificate(std::string_view(good).substr(0, length))) << "truncated to " << length;
}

TEST(Bounds, UnknownNamesGetTheNearest) {
    const auto found = bound::find_bound("combinatoral");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, DiagnosticKind::usage);
    EXPECT_NE(found.error().help.find("combinatorial"), std::string::npos);
}

cost::StageProblem larger(std::uint64_t seed, std::size_t operators, bool overlap) {
    RandomStream random(seed);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = operators;
    options.largest_time = 100'000;
    options.largest_transfer = 300'000;
    options.overlap = overlap ? 1 : 0;
    return test::random_problem(random, options, 8);
}

TEST(Bounds, SameCertificateAtAnyThreadCount) {
    SilentObserver observer;
    const Limits limits{.deadline = {}, .evaluations = 50, .stop = {}};
    for (std::uint64_t i = 0; i < 6; i += test::one_in(3)) {  // of both parities
        const auto problem = larger(50 + i, 300, i % 2 != 0);
        const auto one = bound::find_bound("auto").value()->prove(problem, {.stages = 8, .threads = 1}, observer, limits);
        ASSERT_TRUE(one);
        for (int threads : {2, 8}) {
            const auto many = bound::find_bound("auto").value()->prove(problem, {.stages = 8, .threads = threads}, observer, limits);
            ASSERT_TRUE(many);
            EXPECT_EQ(one->certificate, many->certificate);
            EXPECT_EQ(one->termination.evaluations, many->termination.evaluations);
        }
    }
}

TEST(Bounds, StopAtWhatIsEnoughAndAtTheDeadline) {
    SilentObserver observer;
    const auto problem = larger(60, 400, false);
    const auto& cut = *bound::find_bound("cut").value();
    const auto full = cut.prove(problem, {.stages = 8}, observer, {});
    ASSERT_TRUE(full);
    EXPECT_EQ(full->termination.reason, StopReason::finished);
    const Duration half = full->certificate.value / 2;
    const auto enough = cut.prove(problem, {.stages = 8, .enough = half}, observer, {});
    ASSERT_TRUE(enough);
    EXPECT_EQ(enough->termination.reason, StopReason::optimal);
    EXPECT_GE(enough->certificate.value, half);
    EXPECT_EQ(objection(problem, enough->certificate), "");

    const auto late = cut.prove(problem, {.stages = 8}, observer, {.deadline = Limits::Clock::now(), .evaluations = {}, .stop = {}});
    ASSERT_TRUE(late);
    EXPECT_EQ(late->termination.reason, StopReason::time);
    EXPECT_EQ(objection(problem, late->certificate), "");
    std::stop_source source;
    source.request_stop();
    const auto stopped = cut.prove(problem, {.stages = 8}, observer, {.deadline = {}, .evaluations = {}, .stop = source.get_token()});
    ASSERT_TRUE(stopped);
    EXPECT_EQ(stopped->termination.reason, StopReason::interrupted);
    EXPECT_EQ(objection(problem, stopped->certificate), "");
}

}  // namespace
}  // namespace sluice
