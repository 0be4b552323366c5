// Planners by name: valid partitions, limits, determinism, what is said when nothing fits.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "sluice/inference/orders.hpp"
#include "sluice/inference/registry.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/random_problem.hpp"
#include "tests/unit/inference/plan_by_name.hpp"

namespace sluice {
namespace {

using inference::PlannerOptions;
using test::large_problem;
using test::plan;
using test::RandomProblemOptions;

bool is_topological(const cost::StageProblem& problem, const std::vector<NodeId>& order) {
    std::vector<std::size_t> position(problem.node_count(), problem.node_count());
    for (std::size_t i = 0; i < order.size(); ++i) position[order[i].index()] = i;
    if (order.size() != problem.node_count() || std::ranges::count(position, problem.node_count()) != 0) return false;
    for (std::size_t v = 0; v < problem.node_count(); ++v)
        for (NodeId next : problem.successors[v])
            if (position[v] > position[next.index()]) return false;
    return true;
}

TEST(Orders, AreTopological) {
    for (std::uint64_t i = 0; i < 200; ++i) {
        RandomStream random(5, i);
        RandomProblemOptions options = RandomProblemOptions::everything();
        options.max_operators = 150;
        const auto problem = test::random_problem(random, options);
        using enum inference::ConeDirection;
        const auto up = cone_work(problem, from_sinks), down = cone_work(problem, from_sources);
        EXPECT_TRUE(is_topological(problem, inference::model_order(problem)));
        EXPECT_TRUE(is_topological(problem, inference::random_order(problem, random)));
        EXPECT_TRUE(is_topological(problem, inference::depth_first_order(problem)));
        EXPECT_TRUE(is_topological(problem, inference::depth_first_order(problem, &random)));
        EXPECT_TRUE(is_topological(problem, inference::greedy_frontier_order(problem)));
        EXPECT_TRUE(is_topological(problem, inference::greedy_frontier_order(problem, &random)));
        EXPECT_TRUE(is_topological(problem, inference::heavy_cone_order(problem, from_sinks, up)));
        EXPECT_TRUE(is_topological(problem, inference::heavy_cone_order(problem, from_sinks, up, &random)));
        EXPECT_TRUE(is_topological(problem, inference::heavy_cone_order(problem, from_sources, down)));
        EXPECT_TRUE(is_topological(problem, inference::heavy_cone_order(problem, from_sources, down, &random)));
    }
}

TEST(Orders, ConeWorkIsTheWorkOfAllAncestors) {
    for (std::uint64_t i = 0; i < 50; ++i) {
        RandomStream random(6, i);
        const auto problem = test::random_problem(random, {.min_operators = 60, .max_operators = 200});
        const auto up = cone_work(problem, inference::ConeDirection::from_sinks);
        const auto down = cone_work(problem, inference::ConeDirection::from_sources);
        for (const bool ancestors : {true, false})
            for (std::size_t v = 0; v < problem.node_count(); ++v) {
                std::vector<char> seen(problem.node_count());
                std::vector<std::size_t> stack{v};
                seen[v] = 1;
                Duration sum{0};
                while (!stack.empty()) {
                    const std::size_t u = stack.back();
                    stack.pop_back();
                    sum += problem.classes[0].work[u];
                    for (NodeId next : ancestors ? problem.predecessors[u] : problem.successors[u])
                        if (!std::exchange(seen[next.index()], char{1})) stack.push_back(next.index());
                }
                ASSERT_EQ((ancestors ? up : down)[v], sum);
            }
    }
}

TEST(Orders, SideBranchesComeLate) {
    // 0 -> 1 -> 2 -> 3 is the trunk; 4 -> 3 a light side branch whose tensor would be alive along the trunk if it came first.
    graph::GraphBuilder builder("side branch");
    graph::GivenCosts given;
    given.classes.push_back({.name = "d", .count = 2, .memory = {}, .time = {}});
    const auto tensor = [&](std::string name) {
        given.transfer.push_back(Duration{5});
        graph::Tensor t;
        t.name = std::move(name);
        return builder.add_tensor(std::move(t));
    };
    std::vector<TensorId> t;
    for (int i = 0; i < 5; ++i) t.push_back(tensor("t" + std::to_string(i)));
    const auto add = [&](int i, std::vector<TensorId> in, std::int64_t time) {
        graph::Operator op;
        op.name = "op" + std::to_string(i);
        builder.add_operator(std::move(op), in, std::vector{t[static_cast<std::size_t>(i)]}, {});
        given.classes[0].time.push_back(Duration{time});
    };
    add(4, {}, 1);
    add(0, {}, 10);
    add(1, {t[0]}, 10);
    add(2, {t[1]}, 10);
    add(3, {t[2], t[4]}, 10);
    builder.set_given_costs(std::move(given));
    const auto graph = std::move(builder).build();
    ASSERT_TRUE(graph);
    const auto frozen = cost::freeze(*graph, platform::given_platform(*graph));
    ASSERT_TRUE(frozen) << frozen.error().message;
    const auto& problem = frozen->problem;
    const auto cones = cone_work(problem, inference::ConeDirection::from_sinks);
    const auto order = inference::heavy_cone_order(problem, inference::ConeDirection::from_sinks, cones);
    // The light branch stands right before the join.
    EXPECT_EQ(problem.classes[0].work[order[3].index()], Duration{1});
}

TEST(Planners, EveryOneMakesAValidPartition) {
    for (const auto& planner : inference::planners()) {
        SCOPED_TRACE(planner.name);
        EXPECT_FALSE(planner.description.empty());
        EXPECT_FALSE(planner.source.empty());
        for (std::uint64_t i = 0; i < 40; ++i) {
            RandomStream random(7, i);
            RandomProblemOptions options = RandomProblemOptions::everything(30);
            options.hard = options.classes = options.mixed = 0;
            const auto problem = test::random_problem(random, options, 4);
            const auto result = plan(planner.name, problem, {.stages = 4, .seed = i}, {.deadline = {}, .evaluations = 10, .stop = {}});
            ASSERT_TRUE(result) << result.error().message;
            const auto faults = cost::faults_of(problem, result->partition, 4);
            EXPECT_TRUE(faults.empty()) << faults.front().message;
            EXPECT_LE(result->termination.evaluations, 10);
            EXPECT_FALSE(result->winner.empty());
        }
    }
}

TEST(Planners, UnknownNamesGetTheNearest) {
    const auto found = inference::find_planner("hevy-cone");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, DiagnosticKind::usage);
    EXPECT_NE(found.error().help.find("heavy-cone"), std::string::npos);
}

TEST(Planners, AutoIsNeverWorseThanTheDeterministicOrders) {
    for (std::uint64_t i = 0; i < 10; ++i) {
        const auto problem = large_problem(20 + i, 200);
        const auto best =
            price(problem, plan("auto", problem, {.stages = 8}, {.deadline = {}, .evaluations = 20, .stop = {}})->partition).bottleneck;
        for (const auto name : {"heavy-cone", "depth-first", "greedy-frontier", "model-order"})
            EXPECT_LE(best, price(problem, plan(name, problem, {.stages = 8})->partition).bottleneck) << name;
    }
}

TEST(Planners, SameSeedSamePlanAtAnyThreadCount) {
    for (std::uint64_t i = 0; i < 4; ++i) {
        const auto problem = large_problem(30 + i, 300);
        const auto one = plan("auto", problem, {.stages = 8, .seed = i, .threads = 1}, {.deadline = {}, .evaluations = 60, .stop = {}});
        ASSERT_TRUE(one) << one.error().message;
        for (int threads : {2, 5}) {
            const auto many =
                plan("auto", problem, {.stages = 8, .seed = i, .threads = threads}, {.deadline = {}, .evaluations = 60, .stop = {}});
            ASSERT_TRUE(many);
            EXPECT_EQ(one->partition, many->partition);
            EXPECT_EQ(one->winner, many->winner);
        }
        EXPECT_EQ(one->termination.reason, StopReason::evaluations);
        EXPECT_EQ(one->termination.evaluations, 60);
    }
}

TEST(Planners, AutoGoesOnWhereItStopped) {
    const auto problem = large_problem(50, 150);
    const Limits limits{.deadline = {}, .evaluations = 3'000, .stop = {}};
    auto last = plan("auto", problem, {.stages = 8}, limits);
    ASSERT_TRUE(last);
    for (std::uint64_t call = 1; call < 4; ++call) {
        ASSERT_NE(last->go_on, nullptr);
        const cost::Partition start = last->partition;
        auto next = plan("auto", problem, {.stages = 8, .seed = call, .start = &start, .go_on = last->go_on}, limits);
        ASSERT_TRUE(next);
        EXPECT_TRUE(cost::faults_of(problem, next->partition, 8).empty());
        EXPECT_LE(price(problem, next->partition).bottleneck, price(problem, start).bottleneck);
        last = std::move(next);
    }
}

TEST(Planners, ADeadlineEndsACountOfEvaluations) {
    const auto problem = large_problem(40, 500);
    const auto past = Limits::Clock::now() - std::chrono::seconds(1);
    const auto late = plan("auto", problem, {.stages = 8}, {.deadline = past, .evaluations = 1'000'000'000, .stop = {}});
    ASSERT_TRUE(late);
    EXPECT_EQ(late->termination.reason, StopReason::time);
}

TEST(Planners, ADeadlineInThePastStillGivesAPlan) {
    for (const double hard : {0.0, 1.0}) {
        RandomProblemOptions options;
        options.spill = 0;
        options.hard = hard;
        const auto problem = large_problem(41, 2000, options);
        const auto began = Limits::Clock::now();
        const auto result = plan("auto", problem, {.stages = 64}, {.deadline = began, .evaluations = {}, .stop = {}});
        if (!result) {
            EXPECT_GT(hard, 0) << result.error().message;
            continue;
        }
        EXPECT_EQ(result->termination.reason, StopReason::time);
        EXPECT_TRUE(cost::faults_of(problem, result->partition, 64).empty());
    }
}

TEST(Planners, AStopReachesIntoASlicing) {
    const auto problem = large_problem(42, 10'000);
    std::stop_source source;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        source.request_stop();
    });
    const auto result = plan("auto", problem, {.stages = 64}, {.deadline = {}, .evaluations = {}, .stop = source.get_token()});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->termination.reason, StopReason::interrupted);
    EXPECT_TRUE(cost::faults_of(problem, result->partition, 64).empty());
}

TEST(Planners, StopsAtAProvenBound) {
    const auto problem = large_problem(43, 400);
    const auto first = plan("heavy-cone", problem, {.stages = 8});
    const auto value = price(problem, first->partition).bottleneck;
    const auto again = plan("auto", problem, {.stages = 8, .good_enough = value}, {.deadline = {}, .evaluations = 1000, .stop = {}});
    ASSERT_TRUE(again);
    EXPECT_EQ(again->termination.reason, StopReason::optimal);
    EXPECT_LE(price(problem, again->partition).bottleneck, value);
    EXPECT_LT(again->termination.evaluations, 1000);
}

/// Infeasible is said only when no partition exists; when one exists in the order tried, it is found.
TEST(Planners, InfeasibleOnlyWhenProven) {
    RandomProblemOptions options = RandomProblemOptions::everything(6);
    options.spill = 0;
    options.hard = 1;
    options.classes = 0.5;
    std::size_t proven = 0, given_up = 0;
    for (std::uint64_t i = 0; i < 1500; ++i) {
        RandomStream random(8, i);
        const auto problem = test::random_problem(random, options);
        const auto result = plan("model-order", problem, {.stages = 3});
        if (result) {
            EXPECT_TRUE(cost::faults_of(problem, result->partition, 3).empty());
            continue;
        }
        EXPECT_FALSE(test::best_cut_of_order(problem, inference::model_order(problem), 3));
        if (result.error().kind == DiagnosticKind::infeasible) {
            ++proven;
            for (int tries = 0; tries < 20; ++tries)
                EXPECT_FALSE(test::best_cut_of_order(problem, test::random_order(problem, random), 3)) << result.error().message;
        } else {
            EXPECT_EQ(result.error().kind, DiagnosticKind::input);
            EXPECT_NE(result.error().message.find("no feasible plan found"), std::string::npos);
            ++given_up;
        }
    }
    EXPECT_GT(proven, 20u);
    EXPECT_GT(given_up, 5u);
}

TEST(Planners, RefusesZeroStages) {
    const auto result = plan("auto", large_problem(44, 10), {.stages = 0});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, DiagnosticKind::usage);
}

TEST(Planners, MoreStagesThanNodesIsFine) {
    const auto problem = large_problem(45, 10);
    const auto result = plan("auto", problem, {.stages = 1'000'000'000'000});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_LE(result->partition.stages.size(), problem.node_count());
}

}  // namespace
}  // namespace sluice
