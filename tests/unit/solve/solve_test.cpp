#include "sluice/solve/solve.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "sluice/base/random.hpp"
#include "sluice/bound/check_certificate.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/verify.hpp"
#include "tests/unit/plan/sample.hpp"

namespace sluice::solve {
namespace {

using namespace std::chrono_literals;

/// `layers` rows of `width` operators, each reading two of the row before; times of 1 to 50 ns from a stream.
graph::Graph mesh(std::size_t layers, std::size_t width) {
    graph::GraphBuilder builder("mesh");
    RandomStream random(5);
    graph::GivenCosts costs;
    costs.classes.push_back({.name = "fast", .count = 3, .memory = {}, .time = {}});
    std::vector<TensorId> before{builder.add_tensor(sample::tensor("x", 64))};
    for (std::size_t layer = 0; layer < layers; ++layer) {
        std::vector<TensorId> row;
        for (std::size_t i = 0; i < width; ++i) {
            const auto made =
                builder.add_tensor(sample::tensor("t" + std::to_string(layer) + "_" + std::to_string(i), random.between(1, 4000)));
            graph::Operator op;
            op.type = "Op";
            builder.add_operator(op, std::array{before[i % before.size()], before[random.below(before.size())]}, std::array{made});
            costs.classes[0].time.emplace_back(Duration{random.between(1000, 50'000)});
            row.push_back(made);
        }
        before = std::move(row);
    }
    builder.set_given_costs(std::move(costs));
    return std::move(builder).build().value();
}

class Recorder final : public Observer {
public:
    void on_event(const Event& event) override {
        ++events;
        last = event;
        last.phase = last.source = {};
        if (stop_at && events >= *stop_at) stop.request_stop();
    }
    int events = 0;
    Event last;
    std::optional<int> stop_at;
    std::stop_source stop;
};

SolveOptions options_for(const graph::Graph& graph, int threads, std::int64_t stages = 4) {
    return {.stages = stages, .seed = 11, .threads = threads, .model = graph.fingerprint()};
}

TEST(Solve, APlanABoundAndWhyItStopped) {
    const graph::Graph graph = mesh(12, 5);
    const platform::Platform platform = sample::machine();
    const auto frozen = sample::freeze(graph, platform);
    for (const int threads : {1, 2, 5}) {
        Recorder recorder;
        const auto options = options_for(graph, threads);
        const auto result = solve(frozen.problem, options, recorder, {});
        ASSERT_TRUE(result) << to_text(result.error());
        EXPECT_TRUE(result->warnings.empty());
        EXPECT_TRUE(cost::faults_of(frozen.problem, result->partition, 4).empty());
        EXPECT_EQ(result->cost.bottleneck, cost::price(frozen.problem, result->partition).bottleneck);
        EXPECT_TRUE(result->certified);
        EXPECT_TRUE(bound::check_certificate(frozen.problem, result->certificate).empty());
        EXPECT_GT(result->certificate.value, Duration(0));
        EXPECT_LE(result->certificate.value, result->cost.bottleneck);
        EXPECT_EQ(result->certificate.model, graph.fingerprint());
        EXPECT_GT(result->termination.evaluations, 0);
        EXPECT_EQ(result->termination.reason,
                  result->certificate.value == result->cost.bottleneck ? StopReason::optimal : StopReason::finished);
        EXPECT_GT(recorder.events, 0);
        EXPECT_EQ(recorder.last.objective, result->cost.bottleneck);
        EXPECT_EQ(recorder.last.bound, result->certificate.value);

        const plan::Plan plan = make_plan(graph, platform, frozen, options, *result);
        EXPECT_EQ(plan.method, "auto");
        EXPECT_EQ(plan.seed, 11u);
        const VerifyReport report = verify(graph, plan, &result->certificate);
        EXPECT_TRUE(report.valid) << (report.failures.empty() ? "" : to_text(report.failures[0]));
        EXPECT_TRUE(report.certified);
    }
}

TEST(Solve, OneStageIsOptimal) {
    const graph::Graph graph = mesh(6, 3);
    const auto frozen = sample::freeze(graph, sample::machine(), 1);
    for (const int threads : {1, 2}) {
        SilentObserver silent;
        const auto result = solve(frozen.problem, options_for(graph, threads, 1), silent, {});
        ASSERT_TRUE(result) << to_text(result.error());
        EXPECT_EQ(result->partition.stages.size(), 1u);
        EXPECT_EQ(result->certificate.value, result->cost.bottleneck);
        EXPECT_EQ(result->termination.reason, StopReason::optimal);
    }
}

TEST(Solve, StopsAtTheGap) {
    const graph::Graph graph = mesh(12, 5);
    const auto frozen = sample::freeze(graph, sample::machine());
    for (const auto evaluations : {std::optional<std::int64_t>{}, std::optional<std::int64_t>{200}})
        for (const int threads : {1, 2}) {
            SilentObserver silent;
            auto options = options_for(graph, threads);
            options.gap = 0.9;
            const auto result = solve(frozen.problem, options, silent, {.deadline = {}, .evaluations = evaluations, .stop = {}});
            ASSERT_TRUE(result) << to_text(result.error());
            EXPECT_LE(gap_of(result->cost.bottleneck, result->certificate.value), 0.9);
            EXPECT_EQ(result->termination.reason, StopReason::gap);
            EXPECT_LT(result->termination.evaluations, 50) << "a coarse gap needs few orders";
        }
}

TEST(Solve, EvaluationsAreKept) {
    const graph::Graph graph = mesh(30, 8);
    const auto frozen = sample::freeze(graph, sample::machine());
    SilentObserver silent;
    const auto result = solve(frozen.problem, options_for(graph, 2), silent, {.deadline = {}, .evaluations = 20, .stop = {}});
    ASSERT_TRUE(result) << to_text(result.error());
    EXPECT_EQ(result->termination.evaluations, 20);
    EXPECT_EQ(result->termination.reason, StopReason::evaluations);
}

TEST(Solve, InterruptedKeepsTheBestOfBoth) {
    const graph::Graph graph = mesh(120, 10);
    const auto frozen = sample::freeze(graph, sample::machine(), 16);
    for (const auto evaluations : {std::optional<std::int64_t>{}, std::optional<std::int64_t>{1'000'000}})
        for (const int threads : {1, 2}) {
            Recorder recorder;
            recorder.stop_at = 3;
            const auto result = solve(frozen.problem, options_for(graph, threads, 16), recorder,
                                      {.deadline = {}, .evaluations = evaluations, .stop = recorder.stop.get_token()});
            ASSERT_TRUE(result) << to_text(result.error());
            EXPECT_EQ(result->termination.reason, StopReason::interrupted);
            EXPECT_TRUE(result->certified);
            EXPECT_GT(result->certificate.value, Duration(0));
            EXPECT_TRUE(cost::faults_of(frozen.problem, result->partition, 16).empty());
        }
}

TEST(Solve, ADeadlineEndsBothSides) {
    const graph::Graph graph = mesh(400, 12);
    const auto frozen = sample::freeze(graph, sample::machine(), 32);
    for (const int threads : {1, 2}) {
        SilentObserver silent;
        const auto result = solve(frozen.problem, options_for(graph, threads, 32), silent,
                                  {.deadline = Limits::Clock::now() + 50ms, .evaluations = {}, .stop = {}});
        ASSERT_TRUE(result) << to_text(result.error());
        EXPECT_EQ(result->termination.reason, StopReason::time);
        EXPECT_TRUE(result->certified);
    }
}

TEST(Solve, WhatTheCallerGotWrong) {
    const graph::Graph graph = mesh(3, 2);
    const auto frozen = sample::freeze(graph, sample::machine());
    SilentObserver silent;
    const auto refused = [&](auto change, std::string_view part) {
        auto options = options_for(graph, 1);
        change(options);
        const auto result = solve(frozen.problem, options, silent, {});
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().kind, DiagnosticKind::usage);
        EXPECT_NE(to_text(result.error()).find(part), std::string::npos) << to_text(result.error());
    };
    refused([](SolveOptions& o) { o.stages = 0; }, "0 stages");
    refused([](SolveOptions& o) { o.method = "heavy-con"; }, "heavy-cone");
    refused([](SolveOptions& o) { o.bound = "cutt"; }, "cut");
    refused([](SolveOptions& o) { o.gap = 1; }, "gap");
    refused([](SolveOptions& o) { o.gap = std::numeric_limits<double>::quiet_NaN(); }, "gap");
    refused([](SolveOptions& o) { o.seed = std::uint64_t{1} << 63; }, "seed");
}

TEST(Prove, TheBoundAlone) {
    const graph::Graph graph = mesh(12, 5);
    const auto frozen = sample::freeze(graph, sample::machine());
    for (const char* bound : {"auto", "combinatorial", "cut"}) {
        Recorder recorder;
        auto options = options_for(graph, 2);
        options.bound = bound;
        const auto result = prove(frozen.problem, options, recorder, {});
        ASSERT_TRUE(result) << to_text(result.error());
        EXPECT_TRUE(result->certified);
        EXPECT_GT(result->certificate.value, Duration(0));
        EXPECT_EQ(result->certificate.model, graph.fingerprint());
        EXPECT_EQ(result->termination.reason, StopReason::finished);
        EXPECT_EQ(recorder.last.bound, result->certificate.value);
    }
}

TEST(Prove, InterruptedAtOnceThereIsStillABound) {
    const graph::Graph graph = mesh(120, 10);
    const auto frozen = sample::freeze(graph, sample::machine());
    std::stop_source stop;
    stop.request_stop();
    SilentObserver silent;
    const auto result = prove(frozen.problem, options_for(graph, 2), silent, {.deadline = {}, .evaluations = {}, .stop = stop.get_token()});
    ASSERT_TRUE(result) << to_text(result.error());
    EXPECT_EQ(result->termination.reason, StopReason::interrupted);
    EXPECT_TRUE(result->certified);
    EXPECT_GT(result->certificate.value, Duration(0));
}

TEST(Solve, NothingWorseThanTheStart) {
    const graph::Graph graph = mesh(12, 5);
    const auto frozen = sample::freeze(graph, sample::machine());
    SilentObserver silent;
    const auto good = solve(frozen.problem, options_for(graph, 1), silent, {.deadline = {}, .evaluations = 300, .stop = {}});
    ASSERT_TRUE(good) << to_text(good.error());
    for (const int threads : {1, 2})
        for (const bool interrupted : {false, true}) {
            std::stop_source stop;
            if (interrupted) stop.request_stop();
            auto options = options_for(graph, threads);
            options.method = "model-order";  // cannot reach it
            options.start = good->partition;
            const auto result = solve(frozen.problem, options, silent, {.deadline = {}, .evaluations = {}, .stop = stop.get_token()});
            ASSERT_TRUE(result) << to_text(result.error());
            EXPECT_EQ(result->cost.bottleneck, good->cost.bottleneck);
            EXPECT_EQ(result->winner, "start");
            EXPECT_TRUE(result->warnings.empty());
            EXPECT_TRUE(result->certified);
        }
    auto options = options_for(graph, 1);
    options.start = cost::Partition{};  // holds no node
    const auto refused = solve(frozen.problem, options, silent, {});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("does not hold"), std::string::npos) << refused.error().message;
}

TEST(Prove, EndsWhereAKnownPlanEndsIt) {
    const graph::Graph graph = mesh(6, 3);
    const auto frozen = sample::freeze(graph, sample::machine(), 1);
    SilentObserver silent;
    auto options = options_for(graph, 1, 1);
    const auto plan = solve(frozen.problem, options, silent, {});
    ASSERT_TRUE(plan) << to_text(plan.error());
    options.start = plan->partition;
    const auto result = prove(frozen.problem, options, silent, {});
    ASSERT_TRUE(result) << to_text(result.error());
    EXPECT_EQ(result->termination.reason, StopReason::optimal);
    EXPECT_EQ(result->certificate.value, plan->cost.bottleneck);
}

class ThrowingObserver final : public Observer {
public:
    void on_event(const Event& event) override {
        if (event.phase == "orders") throw std::runtime_error("no more room");
    }
};

/// No layer lets an exception through, whatever the number of threads.
TEST(Solve, APlannerThatThrowsIsADiagnostic) {
    const graph::Graph graph = mesh(6, 3);
    const auto frozen = sample::freeze(graph, sample::machine());
    for (const int threads : {1, 2}) {
        ThrowingObserver observer;
        const auto result = solve(frozen.problem, options_for(graph, threads), observer, {});
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().kind, DiagnosticKind::internal);
        EXPECT_NE(result.error().message.find("no more room"), std::string::npos) << result.error().message;
    }
}

}  // namespace
}  // namespace sluice::solve
