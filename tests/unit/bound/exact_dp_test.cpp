// Certificates of kind exact-dp by hand: the file, the groups and merges, the checker's reasons.
#include "sluice/bound/exact_dp.hpp"

#include <gtest/gtest.h>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/check_groups.hpp"
#include "tests/support/brute_refutation.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using bound::Certificate;
using bound::ExactDpWitness;
using test::objection;

struct Made {
    std::int64_t work;
    std::vector<std::size_t> reads;  // tensors, one an operator
    std::int64_t transfer;           // of the operator's own
};

cost::StageProblem problem_of(const std::vector<Made>& operators) {
    graph::GraphBuilder builder("by hand");
    graph::GivenCosts given;
    given.classes.push_back({.name = "d", .count = 8, .memory = {}, .time = {}});
    std::vector<TensorId> tensors;
    for (std::size_t i = 0; i < operators.size(); ++i) {
        graph::Tensor tensor;
        tensor.name = std::format("t{}", i);
        tensors.push_back(builder.add_tensor(std::move(tensor)));
        given.transfer.push_back(Duration{operators[i].transfer});
        given.classes[0].time.emplace_back(Duration{operators[i].work});
    }
    for (std::size_t i = 0; i < operators.size(); ++i) {
        graph::Operator op;
        op.name = std::format("op{}", i);
        std::vector<TensorId> inputs;
        for (std::size_t t : operators[i].reads) inputs.push_back(tensors[t]);
        builder.add_operator(std::move(op), inputs, std::vector{tensors[i]}, {});
    }
    builder.set_given_costs(std::move(given));
    const auto graph = std::move(builder).build();
    return cost::freeze(*graph, platform::given_platform(*graph))->problem;
}

/// Four operators of 10 in a row, tensors of 1: two stages of two each take 21.
cost::StageProblem row() { return problem_of({{10, {}, 1}, {10, {0}, 1}, {10, {1}, 1}, {10, {2}, 1}}); }

Certificate by_hand(const cost::StageProblem& problem, std::int64_t value, std::vector<std::vector<ExactDpWitness::Changes>> kept) {
    ExactDpWitness witness;
    witness.kept = std::move(kept);
    return {.problem = problem.fingerprint, .model = "m", .stages = 2, .max_replicas = 1, .value = Duration{value}, .witness = witness};
}

TEST(ExactDpChecker, ARowByHand) {
    const auto problem = row();
    // Below 21 a first stage is one operator (11) or two of 21: {0} needs 10 + 10 + 10 more on the other device, more than 20.
    EXPECT_EQ(objection(problem, by_hand(problem, 21, {})), "") << "the work left rules out everything";
    EXPECT_NE(objection(problem, by_hand(problem, 22, {})), "") << "two stages of two operators take 21";
    EXPECT_NE(objection(problem, by_hand(problem, 41, {})).find("one stage of everything"), std::string::npos);
    EXPECT_EQ(objection(problem, by_hand(problem, 0, {})), "") << "nothing is below 0";
}

TEST(ExactDpChecker, NamesWhatIsWrong) {
    const auto problem = row();
    EXPECT_NE(objection(problem, by_hand(problem, 21, {{}, {}})).find("2 levels"), std::string::npos);
    EXPECT_NE(objection(problem, by_hand(problem, 21, {{{9}}})).find("group 9"), std::string::npos);
    EXPECT_NE(objection(problem, by_hand(problem, 21, {{{0}}})).find("holds everything"), std::string::npos);
    EXPECT_NE(objection(problem, by_hand(problem, 21, {{{1, 2}}})).find("lacks a predecessor"), std::string::npos);
    auto merged = by_hand(problem, 21, {});
    std::get<ExactDpWitness>(merged.witness).serial.merges = {{NodeId(0), NodeId(1)}};
    EXPECT_NE(objection(problem, merged).find("0"), std::string::npos);
    auto charged = by_hand(problem, 21, {});
    std::get<ExactDpWitness>(charged.witness).serial.work = 2;
    EXPECT_NE(objection(problem, charged).find("scale"), std::string::npos);
}

TEST(ExactDpChecker, KeptDownsetsAreNeeded) {
    // Two towers that share nothing: a stage of one operator of each tower or two of one; dominance cannot choose between them.
    const auto problem = problem_of({{6, {}, 2}, {7, {0}, 2}, {6, {}, 2}, {7, {2}, 2}, {5, {1, 3}, 1}});
    const test::BruteRelaxation relaxation(problem, 1, 1, 1);
    const std::int64_t stages = 3, least = relaxation.optimum(stages, 1);
    const auto refutation = test::brute_refutation(problem, relaxation, least - 1, stages, stages, 1);
    const auto certificate = bound::certificate_of(problem, refutation);
    ASSERT_TRUE(certificate);
    EXPECT_EQ(certificate->kind(), "exact-dp");
    EXPECT_EQ(certificate->value, Duration{least});
    EXPECT_EQ(objection(problem, *certificate), "");
    Certificate empty = *certificate;
    for (auto& level : std::get<ExactDpWitness>(empty.witness).kept) level.clear();
    EXPECT_NE(objection(problem, empty).find("neither ruled out nor dominated"), std::string::npos);
}

TEST(ExactDpFile, RoundTripAndSize) {
    RandomStream random(9, 0);
    ExactDpWitness witness;
    witness.serial = {.scale = 48, .work = 20, .transfer = 14, .merges = {{NodeId(3), NodeId(4)}}};
    witness.counting = true;
    witness.completion.push_back({{NodeId(1), NodeId(0), NodeId(4'000'000'000)}, 2, true});
    // 2,000 downsets of 1,000 groups, each a prefix and a few more.
    std::vector<ExactDpWitness::Changes> level;
    for (int i = 0; i < 2000; ++i) {
        std::vector<std::uint32_t> changes;
        for (int c = 0; c < 8; ++c) changes.push_back(static_cast<std::uint32_t>(random.below(1000)));
        std::ranges::sort(changes);
        changes.erase(std::ranges::unique(changes).begin(), changes.end());
        level.push_back(changes);
    }
    witness.kept = {{}, {{0, 1}, {4'294'967'294U}}, level};
    const Certificate certificate{.problem = "p", .model = "m", .stages = 4, .max_replicas = 2, .value = Duration{7}, .witness = witness};
    const std::string text = to_json_text(certificate, true);
    EXPECT_LT(text.size(), 40'000u);
    const auto again = bound::read_certificate(*json::parse(text, "c.json"));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, certificate);
    EXPECT_EQ(to_json_text(*again, true), text);
}

TEST(ExactDpFile, RefusesWhatIsNotWritten) {
    const auto reading = [](std::string_view kept) {
        const std::string text = std::format(
            R"({{"format": "sluice.certificate/1", "problem": "p", "model": "m", "stages": 2, "max_replicas": 1,
                "bound": {{"value_ps": 1, "kind": "exact-dp", "certified": true}},
                "witness": {{"type": "exact-dp", "scale": 1, "work": 1, "transfer": 1, "merges": [], "completion": [], "counting": false,
                             "kept": ["{}"]}}}})",
            kept);
        const auto certificate = bound::read_certificate(*json::parse(text, "c.json"));
        return certificate ? std::string() : certificate.error().message;
    };
    EXPECT_EQ(reading("AgAB"), "");  // 2, 0, 1
    EXPECT_NE(reading("AgA").find("base64"), std::string::npos);
    EXPECT_NE(reading("AA==").find("is the one before it"), std::string::npos);  // 0
    EXPECT_NE(reading("AgE=").find("more changes than"), std::string::npos);     // 2, 1
    EXPECT_NE(reading("AgEA").find("out of order"), std::string::npos);          // 2, 1, 0
    EXPECT_NE(reading("AYAA").find("middle of a number"), std::string::npos);    // 1, 128 0: not the shortest
    EXPECT_NE(reading("Af////8P").find("out of order"), std::string::npos);      // 1, 2^32 - 1
    EXPECT_NE(reading("gICAgIAB").find("does not say how many"), std::string::npos);
}

}  // namespace
}  // namespace sluice
