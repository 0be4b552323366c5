// Whatever the graph, devices and memory: a plan that holds, or a reason; never worse than GraphPipe's; the same at every call.
#include "sluice/training/auto/auto.hpp"

#include <gtest/gtest.h>

#include "sluice/program/training_program.hpp"
#include "sluice/training/evaluate.hpp"
#include "sluice/training/graphpipe/graphpipe.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/random_training.hpp"

namespace sluice::training {
namespace {

struct Case {
    cost::TrainingProblem problem;
    bool limited = false;
};

Case random_case(std::uint64_t seed) {
    RandomStream random(seed);
    const graph::Graph graph = test::random_training_graph(random, 14);
    Case made{{}, random.chance(0.5)};
    platform::Platform platform = test::given_devices(random.between(1, 6), made.limited ? Bytes{random.between(20, 400)} : Bytes{});
    if (random.chance(0.5)) {
        platform.topology = platform::Topology::hierarchy;
        platform.devices_per_node = 2;
        platform.node_link = platform::Link{.rate = ByteRate{100'000'000'000}, .latency = Duration{random.between(0, 3)}};
    }
    if (random.chance(0.2)) platform.model = platform::StageModel::serial;
    made.problem = test::training_problem(graph, platform, std::int64_t{1} << random.below(5));
    return made;
}

Result<PlannerResult> planned(const cost::TrainingProblem& problem, std::int64_t evaluations, PlannerOptions options = {}) {
    SilentObserver silent;
    return plan_auto(problem, options, silent, Limits{.deadline = {}, .evaluations = evaluations, .stop = {}});
}

TEST(AutoForTraining, PlansHoldAndAreNeverWorseThanGraphPipe) {
    std::size_t plans = 0;
    for (std::uint64_t seed = 0; seed < test::cases(300); ++seed) {
        SCOPED_TRACE(seed);
        const Case of = random_case(seed);
        const auto result = planned(of.problem, 60);
        SilentObserver silent;
        const auto graphpipe = plan_by_graphpipe(of.problem, {}, silent, {});
        if (!result) {
            EXPECT_TRUE(of.limited) << to_text(result.error());
            EXPECT_EQ(result.error().kind, DiagnosticKind::infeasible);
            EXPECT_FALSE(graphpipe.has_value());
            continue;
        }
        ++plans;
        const auto faults = cost::faults_of(of.problem, result->partition);
        ASSERT_TRUE(faults.empty()) << to_text(faults.front());
        const auto broken = program::faults_of(program::lower_training(of.problem, result->partition));
        ASSERT_TRUE(broken.empty()) << to_text(broken.front());
        EXPECT_EQ(result->iteration, iteration_time(of.problem, result->partition));
        EXPECT_TRUE(!graphpipe || result->iteration <= graphpipe->iteration);
    }
    EXPECT_GT(plans, 0);
}

TEST(AutoForTraining, SameEvaluationsSamePlan) {
    for (std::uint64_t seed = 0; seed < test::cases(20); ++seed) {
        const Case of = random_case(seed);
        const auto once = planned(of.problem, 200, {.seed = 3}), again = planned(of.problem, 200, {.seed = 3});
        ASSERT_EQ(once.has_value(), again.has_value());
        EXPECT_TRUE(!once || once->partition == again->partition);
    }
}

TEST(AutoForTraining, TwoBranchesBesideEachOtherAreMuchFasterThanInLine) {
    // Two chains of four equal operators on eight devices, eight micro-batches: 1F1B in line takes 3 (8 + 7), the two beside each other
    // with split backward passes 3 x 8 + 3 (training notes 6.1).
    std::vector<test::GivenOperator> operators;
    for (int branch = 0; branch < 2; ++branch)
        for (int depth = 0; depth < 4; ++depth) {
            operators.push_back({.made = Bytes{1}});
            if (depth > 0) operators.back().reads = {operators.size() - 2};
        }
    auto platform = test::given_devices(8);
    platform.stage_link.rate = ByteRate{1'000'000'000'000'000};
    const auto problem = test::training_problem(test::given_graph(operators), platform, 8);
    const auto result = planned(problem, 500);
    ASSERT_TRUE(result) << to_text(result.error());
    EXPECT_LE(result->iteration.count(), 30);
}

TEST(AutoForTraining, HasAPlanWhenThereIsNoTime) {
    for (std::uint64_t seed = 0; seed < test::cases(40); ++seed) {
        const Case of = random_case(seed);
        if (of.limited) continue;
        SilentObserver silent;
        const auto result = plan_auto(of.problem, {}, silent, Limits{.deadline = Limits::Clock::now(), .evaluations = {}, .stop = {}});
        ASSERT_TRUE(result) << to_text(result.error());
        EXPECT_EQ(result->termination.reason, StopReason::time);
        EXPECT_TRUE(cost::faults_of(of.problem, result->partition).empty());
        EXPECT_EQ(result->iteration, iteration_time(of.problem, result->partition));
    }
}

TEST(AutoForTraining, PassesThatTakeNoTimeEnd) {
    const auto problem =
        test::training_problem(test::given_graph(test::chain_of(4, {.forward = 0, .backward = 0})), test::given_devices(2), 4);
    const auto result = planned(problem, 50);
    ASSERT_TRUE(result) << to_text(result.error());
    SilentObserver silent;
    EXPECT_TRUE(plan_by_graphpipe(problem, {}, silent, Limits{.deadline = {}, .evaluations = 50, .stop = {}}));
}

TEST(AutoForTraining, SaysWhatDoesNotFit) {
    const auto problem =
        test::training_problem(test::given_graph(test::chain_of(3, {.parameters = Bytes{1000}})), test::given_devices(2, Bytes{500}), 4);
    const auto result = planned(problem, 50);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, DiagnosticKind::infeasible);
    EXPECT_FALSE(result.error().notes.empty());
}

}  // namespace
}  // namespace sluice::training
