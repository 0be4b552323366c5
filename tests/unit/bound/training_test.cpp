// Bounds on training plans by hand.
#include <gtest/gtest.h>

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/check_training.hpp"
#include "sluice/bound/training_bound.hpp"
#include "tests/support/training.hpp"

namespace sluice::bound {
namespace {

using test::chain_of;
using test::given_devices;
using test::given_graph;
using test::GivenOperator;

TrainingCertificate proven(const cost::TrainingProblem& problem, TrainingObjective objective = TrainingObjective::iteration) {
    auto certificate = bound_training(problem, objective, {});
    EXPECT_TRUE(certificate.has_value()) << to_text(certificate.error());
    EXPECT_TRUE(check_training(problem, *certificate).empty());
    return *std::move(certificate);
}

/// Nothing to update and nothing to send: a parameter of no bytes at all is trained in no time.
GivenOperator operator_of(std::int64_t forward, std::int64_t backward, std::vector<std::size_t> reads = {}) {
    return {.forward = forward, .backward = backward, .reads = std::move(reads), .made = {0}, .parameters = {0}};
}

void expect_about(const TrainingCertificate& certificate, std::int64_t value) {
    EXPECT_LE(certificate.value.count(), value);
    EXPECT_GE(static_cast<double>(certificate.value.count()), 0.998 * static_cast<double>(value));
}

/// Devices that read and write the optimiser's state at 1 GB/s.
cost::TrainingProblem with_steps(cost::TrainingProblem problem) {
    problem.classes[0].memory_rate = {1'000'000'000};
    return problem;
}

TEST(TrainingBound, OneOperatorOnOneDevice) {
    const auto problem = with_steps(
        test::training_problem(given_graph({{.forward = 1000, .backward = 2000, .made = {0}, .parameters = {500}}}), given_devices(1), 4));
    // Four samples, and 1000 bytes of parameter and gradient read and written at 1 GB/s.
    expect_about(proven(problem), 4 * 3000 + 2'000'000);
    expect_about(proven(problem, TrainingObjective::bottleneck), (4 * 3000 + 2'000'000) / 4);
}

TEST(TrainingBound, AChainThatDevicesShare) {
    // Without parameters there is no backward pass. Eight samples of four operators on two devices.
    const auto problem = test::training_problem(given_graph(chain_of(4, operator_of(100'000, 0))), given_devices(2), 8);
    expect_about(proven(problem), 8 * 4 * 100'000 / 2);
    expect_about(proven(problem, TrainingObjective::bottleneck), 4 * 100'000 / 2);
}

TEST(TrainingBound, AGivenMicroBatchPaysItsFixedCostEveryTime) {
    // A pass over s samples takes 30 us + 1 us for each, so four of two samples take 128 us; one of eight 38.
    auto problem = test::training_problem(given_graph({operator_of(1'000'000, 0)}), given_devices(1), 8);
    std::vector<std::vector<cost::OperatorPasses>> rows(1, {problem.classes[0].passes[0][0]});
    rows[0][0].forward.arithmetic_fixed = 30'000'000;
    problem.classes[0].passes = Rows<cost::OperatorPasses>(rows);
    expect_about(proven(problem), 38'000'000);
    const auto certificate = bound_training(problem, TrainingObjective::iteration, {}, 2);
    ASSERT_TRUE(certificate.has_value());
    expect_about(*certificate, 128'000'000);
    EXPECT_TRUE(check_training(problem, *certificate).empty());
    // It says nothing about other plans.
    TrainingCertificate of_all = *certificate;
    of_all.micro_batch.reset();
    EXPECT_FALSE(check_training(problem, of_all).empty());
}

TEST(TrainingBound, TheLongestPathWhereThereAreManyDevices) {
    // A single sample cannot be shared: all four operators one after the other.
    const auto problem = test::training_problem(given_graph(chain_of(4, operator_of(100'000, 0))), given_devices(8), 1);
    expect_about(proven(problem), 4 * 100'000);
}

TEST(TrainingBound, NothingComesBackBeforeSamplesWentForward) {
    // One sample of a chain of two, the second with six to follow at once: these share four devices once the first two are done.
    std::vector<GivenOperator> operators = chain_of(2, operator_of(100'000, 0));
    for (int i = 0; i < 6; ++i) operators.push_back(operator_of(100'000, 0, {1}));
    const auto problem = test::training_problem(given_graph(operators), given_devices(4), 1);
    const TrainingCertificate certificate = proven(problem);
    EXPECT_GE(certificate.value, Duration{349'000}) << "two, and six by four";
    EXPECT_FALSE(certificate.witness.windows.empty());
}

/// Whether the witness proves exactly this much.
void expect_proves(const cost::TrainingProblem& problem, const TrainingWitness& witness, std::int64_t value) {
    TrainingCertificate certificate{.problem = problem.fingerprint, .model = {}, .value = Duration{value}, .witness = witness};
    EXPECT_TRUE(check_training(problem, certificate).empty()) << value;
    ++certificate.value;
    EXPECT_FALSE(check_training(problem, certificate).empty()) << value + 1;
}

TEST(TrainingBound, APathCountsTheLastNodesPassesAndOneOfTheOthers) {
    // Of four samples the first goes forward through operator 0, all go both ways through operator 1, one comes back to 0 for its weights.
    const auto problem = test::training_problem(
        given_graph({{.forward = 1, .backward = 10, .parameters = {4}}, {.forward = 10, .backward = 20, .reads = {0}, .parameters = {0}}}),
        given_devices(1), 4);
    expect_proves(problem, {.classes = {{}}, .paths = {{1, 0, {NodeId(0), NodeId(1)}}}, .windows = {}}, 1 + 4 * 30 + 10);
    // The other way round, that is all of them forward and back again, it turns at 1.
    expect_proves(problem, {.classes = {{}}, .paths = {{1, 1, {NodeId(0), NodeId(1)}}}, .windows = {}}, 1 + 4 * 30);
}

TEST(TrainingBound, AWindowWaitsOnlyForWhatComesBack) {
    auto problem = test::training_problem(
        given_graph({{.forward = 1, .backward = 100, .parameters = {4}}, {.forward = 100, .backward = 0, .reads = {0}, .parameters = {0}}}),
        given_devices(2), 1);
    const TrainingWitness witness{.classes = {{}}, .paths = {}, .windows = {{1, {NodeId(0), NodeId(1)}}}};
    expect_proves(problem, witness, (2 * 101 + 100) / 2);
    // What operator 1 reads has no gradient: 0 does not wait for it.
    for (char& flag : problem.has_gradient) flag = 0;
    expect_proves(problem, witness, 101);
    // Behind operator 0: its own gradient, and both directions of what it feeds.
    expect_proves(problem, {.classes = {{}}, .paths = {}, .windows = {{1, {NodeId(0)}}}}, (2 * 1 + 100 + 100) / 2);
}

TEST(TrainingBound, DevicesHoldWholeOperators) {
    // Three operators of one sample on two devices: one has two of them.
    const auto problem = test::training_problem(given_graph({operator_of(100'000, 0), operator_of(100'000, 0), operator_of(100'000, 0)}),
                                                given_devices(2), 1);
    expect_about(proven(problem, TrainingObjective::bottleneck), 200'000);
    const TrainingCertificate certificate = proven(problem);
    expect_about(certificate, 200'000);
    EXPECT_FALSE(certificate.witness.classes[0].roundings.empty());
}

TEST(TrainingBound, ReplicatingCostsAllReduceAndSteps) {
    // 10 ms a sample; a megabyte of gradients to reduce at 1 GB/s, two megabytes to read and write.
    const graph::Graph graph = given_graph({{.forward = 5'000'000'000, .backward = 5'000'000'000, .made = {0}, .parameters = {1'000'000}}});
    const auto problem = with_steps(test::training_problem(graph, given_devices(2), 1));
    const std::int64_t step = 4'000'000'000;
    expect_about(proven(problem), 10'000'000'000 + step);
    const auto two = with_steps(test::training_problem(graph, given_devices(2), 2));
    expect_about(proven(two), 10'000'000'000 + 1'000'000'000 + step);
}

TEST(TrainingBound, MemoryDecidesWhetherThereIsAnyPlan) {
    const auto chain = given_graph(chain_of(3, {.made = {10}, .parameters = {100}}));
    const auto refusal = [&](std::int64_t devices, std::int64_t memory) {
        const auto problem = test::training_problem(chain, given_devices(devices, {memory}), 4);
        const auto certificate = bound_training(problem, TrainingObjective::iteration, {});
        if (certificate) return std::string();
        EXPECT_EQ(certificate.error().kind, DiagnosticKind::infeasible);
        return to_text(certificate.error());
    };
    EXPECT_NE(refusal(3, 209).find("operator 0 needs 210 B of one device, which has 209 B"), std::string::npos);
    EXPECT_NE(refusal(2, 314).find("need 630 B, all devices together have 628 B"), std::string::npos);
    EXPECT_EQ(refusal(2, 420), "");
    // Four samples at a time: two for each of two devices.
    const auto problem = test::training_problem(chain, given_devices(2, {219}), 4);
    const auto certificate = bound_training(problem, TrainingObjective::iteration, {}, 4);
    ASSERT_FALSE(certificate.has_value());
    EXPECT_NE(to_text(certificate.error()).find("operator 0 needs 220 B of one device, which has 219 B"), std::string::npos)
        << to_text(certificate.error());
}

TEST(TrainingBound, StoppedItStillSaysWhatIsTrue) {
    const auto problem = test::training_problem(given_graph(chain_of(6)), given_devices(3), 8);
    std::stop_source source;
    source.request_stop();
    const auto certificate =
        bound_training(problem, TrainingObjective::iteration, {.deadline = {}, .evaluations = {}, .stop = source.get_token()});
    ASSERT_TRUE(certificate.has_value());
    EXPECT_GT(certificate->value, Duration{0});
    EXPECT_TRUE(check_training(problem, *certificate).empty());
}

TEST(TrainingBound, ReadsWhatItWrites) {
    const auto problem = test::training_problem(given_graph(chain_of(6, {.forward = 10, .backward = 20})), given_devices(9), 4);
    const std::string text = to_json_text(proven(problem), true);
    const auto read = [](std::string changed) -> std::string {
        const auto document = json::parse(changed, "file");
        if (!document) return "no JSON: " + changed;
        const auto certificate = read_training_certificate(*document);
        return certificate ? std::string() : to_text(certificate.error());
    };
    const auto with = [&](std::string_view from, std::string_view to) {
        std::string changed = text;
        const auto at = changed.find(from);
        EXPECT_NE(at, std::string::npos) << from << " in " << text;
        return changed.replace(at, from.size(), to);
    };
    EXPECT_EQ(read(text), "");
    EXPECT_NE(read(with("iteration", "latency")), "");
    EXPECT_NE(read(with("\"work-and-path\"", "\"cut\"")), "");
    EXPECT_NE(read(with("\"turn\": ", "\"turn\": -1")), "");
    EXPECT_NE(read(with("\"price\": ", "\"price\": -1")), "");
    EXPECT_NE(read(with("\"work\": ", "\"work\": 1000000")), "");
    EXPECT_NE(read(with("\"links\"", "\"likns\"")), "");
    EXPECT_NE(read(with("\"classes\"", "\"clases\"")), "");
    EXPECT_NE(read(with("\"certified\": true", "\"certified\": 1")), "");
    EXPECT_NE(read(with("certificate/1", "certificate/2")), "");
    EXPECT_EQ(read(with("\"bound\"", "\"micro_batch\": 2, \"bound\"")), "");
    EXPECT_NE(read(with("\"bound\"", "\"micro_batch\": 0, \"bound\"")), "");
    EXPECT_NE(read(with("\"roundings\": [", "\"roundings\": [-1, ")), "") << "trailing comma or not";
}

TEST(TrainingBound, TheOtherCertificatesAreReadAsBefore) {
    const Certificate certificate{.problem = "p", .model = "m", .stages = 4, .value = Duration{7}, .witness = TotalWorkWitness{}};
    const auto document = json::parse(to_json_text(certificate, true), "file");
    ASSERT_TRUE(document.has_value());
    EXPECT_FALSE(is_of_training(*document));
    EXPECT_EQ(read_certificate(*document).value(), certificate);
    EXPECT_FALSE(read_training_certificate(*document).has_value());
}

}  // namespace
}  // namespace sluice::bound
