// Covering weights written by hand: the file, and what the checker says of each that is wrong.
#include <gtest/gtest.h>

#include <format>
#include <limits>
#include <utility>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/platform/platform.hpp"
#include "tests/support/certificates.hpp"

namespace sluice {
namespace {

using bound::Certificate;
using bound::CoveringWitness;
using test::objection;
using test::read_certificate;

constexpr std::int64_t kOne = std::int64_t{1} << 32;  // device

/// Operators of 10 ps; each pair is a tensor of 5 ps from one to another.
cost::StageProblem operators(std::size_t count, const std::vector<std::pair<std::size_t, std::size_t>>& tensors) {
    graph::GraphBuilder builder("covering");
    graph::GivenCosts given;
    given.classes.push_back({.name = "d", .count = 3, .memory = {}, .time = std::vector(count, std::optional(Duration{10}))});
    given.transfer.assign(tensors.size(), Duration{5});
    std::vector<std::vector<TensorId>> inputs(count), outputs(count);
    for (const auto& [from, to] : tensors) {
        graph::Tensor tensor;
        tensor.name = std::format("t{}-{}", from, to);
        const TensorId id = builder.add_tensor(std::move(tensor));
        outputs[from].push_back(id);
        inputs[to].push_back(id);
    }
    for (std::size_t v = 0; v < count; ++v) {
        graph::Operator op;
        op.name = std::format("op{}", v);
        builder.add_operator(std::move(op), inputs[v], outputs[v], {});
    }
    builder.set_given_costs(std::move(given));
    const auto graph = std::move(builder).build();
    return cost::freeze(*graph, platform::given_platform(*graph))->problem;
}

cost::StageProblem chain_of_four() { return operators(4, {{0, 1}, {1, 2}, {2, 3}}); }

/// Two neighbours cost 25 at the ends and 30 in the middle. Within 24 ps a stage is one operator, so three devices are not enough for four.
Certificate known_covering(const cost::StageProblem& problem) {
    return {.problem = problem.fingerprint,
            .model = "m",
            .stages = 3,
            .value = Duration{25},
            .witness = CoveringWitness{.serial = {},
                                       .order = {NodeId(0), NodeId(1), NodeId(2), NodeId(3)},
                                       .weights = {kOne, kOne, kOne, kOne},
                                       .uncharged = {},
                                       .labels = 64}};
}

template <class Change>
std::string objection_with(Change change) {
    const auto problem = chain_of_four();
    Certificate certificate = known_covering(problem);
    change(certificate, std::get<CoveringWitness>(certificate.witness));
    return objection(problem, certificate);
}

TEST(CoveringWeights, AcceptsWhatIsRight) {
    EXPECT_EQ(objection_with([](auto&, auto&) {}), "");
    EXPECT_EQ(known_covering(chain_of_four()).kind(), "covering");
    EXPECT_EQ(objection_with([](auto& c, auto&) { c.stages = 1; }), "");
    EXPECT_EQ(objection_with([](auto&, auto& w) { w.weights = {kOne, kOne, kOne, 1}; }), "") << "just above three devices";
    EXPECT_EQ(objection_with([](auto& c, auto& w) {
                  c.value = Duration{10};
                  w.weights = {0, 4 * kOne, 0, 0};
              }),
              "")
        << "no stage within 9 ps holds an operator at all";
    EXPECT_EQ(objection_with([](auto& c, auto& w) {
                  c.max_replicas = 2;
                  c.value = Duration{13};
                  w.weights = {kOne, 2 * kOne, 2 * kOne, kOne};
              }),
              "")
        << "within 12 ps none fits on one device; within 24 ps on two, one does";
    EXPECT_EQ(objection_with([](auto& c, auto& w) {
                  c.value = Duration{0};
                  w.weights = {0, 0, 0, 0};
              }),
              "")
        << "nothing is below 0";
}

TEST(CoveringWeights, NamesWhatIsWrong) {
    const auto contains = [](const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; };
    EXPECT_PRED2(contains, objection_with([](auto& c, auto&) { c.value = Duration{26}; }), "a stage on 1 devices may weigh 8589934592");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { ++w.weights[2]; }), "a stage on 1 devices may weigh 4294967297");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.weights[3] = 0; }), "not above 3 devices");
    EXPECT_PRED2(contains, objection_with([](auto& c, auto&) { c.max_replicas = 2; }), "a stage on 2 devices may weigh 12884901888");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.serial.transfer = 0; }), "may weigh");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.uncharged = {1}; }), "may weigh");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.uncharged = {4}; }), "uncharged position 4");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.uncharged = {1, 1}; }), "uncharged position 1");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { std::swap(w.order[1], w.order[2]); }), "before what it reads");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.order[3] = w.order[2]; }), "twice");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.order.pop_back(); }), "4 weights for an order of 3");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.order.pop_back(), w.weights.pop_back(); }), "the order has 3 groups");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.weights[0] = -1; }), "negative");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.weights[0] = std::numeric_limits<std::int64_t>::max(); }), "too large");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.labels = 0; }), "0 labels");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.labels = 65537; }), "65537 labels");
    EXPECT_PRED2(contains, objection_with([](auto&, auto& w) { w.theta_halves = 1; }), "never spills");
}

/// One operator alone and two at an end become one label, as cheap as the one and as heavy as the two.
TEST(CoveringWeights, FewLabelsProveLess) {
    EXPECT_EQ(objection_with([](auto&, auto& w) { w.labels = 2; }), "");
    EXPECT_NE(objection_with([](auto&, auto& w) { w.labels = 1; }), "");
}

TEST(CoveringWeights, RefusesWhatIsTooLarge) {
    for (const std::size_t pairs : {43, 42}) {
        std::vector<std::pair<std::size_t, std::size_t>> tensors;
        for (std::size_t i = 0; i < pairs; ++i) tensors.emplace_back(i, pairs + i);
        const auto problem = operators(2 * pairs, tensors);
        Certificate certificate = known_covering(problem);
        auto& witness = std::get<CoveringWitness>(certificate.witness);
        witness.order.clear();
        for (std::size_t v = 0; v < 2 * pairs; ++v) witness.order.emplace_back(v);
        witness.weights.assign(2 * pairs, kOne);
        EXPECT_NE(objection(problem, certificate).find(pairs > 42 ? "too wide to check" : "too large to check"), std::string::npos);
        // As deep as it is long, one tensor is open at a time.
        witness.order.clear();
        for (std::size_t v = 0; v < pairs; ++v) {
            witness.order.emplace_back(v);
            witness.order.emplace_back(pairs + v);
        }
        certificate.value = Duration{11};
        EXPECT_EQ(objection(problem, certificate), "");
    }
}

TEST(CoveringWeights, TheCheckCanBeStopped) {
    const auto problem = chain_of_four();
    const Limits over{.deadline = Limits::Clock::now(), .evaluations = {}, .stop = {}};
    EXPECT_NE(objection(problem, known_covering(problem), over).find("stopped"), std::string::npos);
}

TEST(CoveringWeights, TheFileRefusesWhatItDoesNotKnow) {
    Certificate certificate = known_covering(chain_of_four());
    std::get<CoveringWitness>(certificate.witness).uncharged = {1, 3};
    std::get<CoveringWitness>(certificate.witness).weights = {7, 8, 9, 10};
    const std::string good = to_json_text(certificate, false);
    const auto again = read_certificate(good);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, certificate);
    const auto refused = [&](std::string_view from, std::string_view to) {
        std::string text = good;
        const auto at = text.find(from);
        ASSERT_NE(at, std::string::npos) << from << " in " << good;
        text.replace(at, from.size(), to);
        const auto result = read_certificate(text);
        ASSERT_FALSE(result) << from << " -> " << to;
        EXPECT_EQ(result.error().kind, DiagnosticKind::input);
        EXPECT_GT(result.error().where.line, 0u) << result.error().message;
    };
    refused("\"kind\": \"covering\"", "\"kind\": \"counting\"");
    refused("\"covering-weights\"", "\"counting-weights\"");
    refused("\"scale\": 1", "\"scale\": 0");
    refused("\"theta_halves\": 0", "\"theta_halves\": 3");
    refused("\"order\": [0,", "\"order\": [");
    refused("\"order\": [0,", "\"order\": [-1,");
    refused("\"weights\": [7,", "\"weights\": [");
    refused("\"weights\": [7,", "\"weights\": [7, 7,");
    refused("\"weights\": [7,", "\"weights\": [-7,");
    refused("\"weights\": [7,", "\"weights\": [4611686018427387905,");
    refused("\"weights\": [7,", "\"weights\": [7.5,");
    refused("\"weights\": [7,", "\"weight\": [7,");
    refused("\"uncharged\": [1,", "\"uncharged\": [-1,");
    refused("\"uncharged\": [1,", "\"uncharged\": [3,");
    refused("\"uncharged\": [1,", "\"uncharged\": [1.5,");
    refused("\"uncharged\": [1, 3]", "\"uncharged\": [1, 4]");
    refused("\"uncharged\": [1, 3]", "\"uncharged\": 1");
    refused("\"labels\": 64", "\"labels\": 0");
    refused("\"labels\": 64", "\"labels\": 65537");
    refused("\"labels\": 64", "\"labels\": 64, \"extra\": 1");
}

}  // namespace
}  // namespace sluice
