// GraphPipe's planner on problems worked out by hand: the paper's case study, memory, several inputs, graphs that are not series-parallel.
#include "sluice/training/graphpipe/graphpipe.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sluice/training/evaluate.hpp"
#include "sluice/training/graphpipe/search.hpp"
#include "tests/support/training.hpp"

namespace sluice::training {
namespace {

using cost::TrainingPartition;
using cost::TrainingProblem;
using cost::TrainingStage;
using test::GivenOperator;

PlannerResult graphpipe_plan(const TrainingProblem& problem, const PlannerOptions& options = {},
                             PlannerFunction planner = plan_by_graphpipe) {
    SilentObserver observer;
    auto result = planner(problem, options, observer, {});
    EXPECT_TRUE(result.has_value()) << to_text(result.error());
    EXPECT_TRUE(cost::faults_of(problem, result->partition).empty()) << to_text(cost::faults_of(problem, result->partition).front());
    EXPECT_EQ(result->iteration, iteration_time(problem, result->partition));
    EXPECT_EQ(result->partition.schedule, cost::Schedule::one_f_one_b);
    EXPECT_FALSE(result->winner.empty());
    return *result;
}

Diagnostic graphpipe_refusal(const TrainingProblem& problem, const PlannerOptions& options = {}) {
    SilentObserver observer;
    auto result = plan_by_graphpipe(problem, options, observer, {});
    EXPECT_FALSE(result.has_value());
    return result.error();
}

std::int64_t most_in_flight(const TrainingPartition& partition) {
    return std::ranges::max(partition.stages, {}, &TrainingStage::in_flight).in_flight;
}

/// `branches` of `layers` times (attention, linear, linear); with `linear` one after the other, with `join` a free concatenation last.
std::vector<GivenOperator> case_study(std::size_t branches, std::size_t layers, bool linear, bool join = true) {
    std::vector<GivenOperator> operators;
    std::vector<std::size_t> ends;
    for (std::size_t b = 0; b < branches; ++b)
        for (std::size_t i = 0; i < 3 * layers; ++i) {
            const std::size_t before = operators.size() - 1;
            operators.push_back({.forward = i % 3 == 0 ? 400 : 300, .backward = i % 3 == 0 ? 800 : 600});
            if (i > 0 || (linear && b > 0)) operators.back().reads.push_back(before);
            if (i + 1 == 3 * layers && (!linear || b + 1 == branches)) ends.push_back(operators.size() - 1);
        }
    if (join) operators.push_back({.forward = 0, .backward = 0, .reads = ends, .parameters = {0}});
    return operators;
}

TEST(GraphPipe, CaseStudyHasHalfTheDepthOfTheChain) {
    for (const bool join : {false, true})
        for (const std::int64_t batch : {8, 16, 32, 64}) {
            const auto platform = test::given_devices(8);
            const auto graph = test::given_graph(case_study(2, 4, false, join)), chain = test::given_graph(case_study(2, 4, true, join));
            const PlannerResult a = graphpipe_plan(test::training_problem(graph, platform, batch), {.micro_batch = 1});
            const PlannerResult b = graphpipe_plan(test::training_problem(chain, platform, batch), {.micro_batch = 1});
            EXPECT_EQ(a.partition.stages.size(), 8U);
            EXPECT_EQ(b.partition.stages.size(), 8U);
            // Both take the same partition, each stage 1000 ps forward and 2000 back. Where one branch's last stage also concatenates, the
            // other branch has that one more after it.
            const std::int64_t depth = join ? 5 : 4;
            EXPECT_EQ(most_in_flight(a.partition), depth);
            EXPECT_EQ(most_in_flight(b.partition), 8);
            EXPECT_EQ(a.iteration, Duration{(batch + depth - 1) * 3000});
            EXPECT_EQ(b.iteration, Duration{(batch + 7) * 3000});
        }
}

TEST(GraphPipe, WhereMemoryHoldsFourMicroBatchesTheChainNeedsSmallerOnes) {
    auto branched = case_study(2, 4, false, false), linear = case_study(2, 4, true, false);
    for (auto* list : {&branched, &linear})
        for (GivenOperator& op : *list) op.made.count = 1;
    // Three operators keep 3 bytes a sample; parameters and gradients take 24.
    const auto platform = test::given_devices(8, {24 + 3 * 16});
    const TrainingProblem a = test::training_problem(test::given_graph(branched), platform, 64);
    const TrainingProblem b = test::training_problem(test::given_graph(linear), platform, 64);
    const auto bottleneck = [](const TrainingProblem& problem, std::int64_t micro_batch) {
        return cost::price(problem, graphpipe_plan(problem, {.micro_batch = micro_batch}).partition).bottleneck;
    };
    // Of all plans with that bottleneck the one with the fewest in flight: stages on two devices each.
    EXPECT_EQ(most_in_flight(graphpipe_plan(a, {.micro_batch = 4}).partition), 8);
    EXPECT_EQ(most_in_flight(graphpipe_plan(b, {.micro_batch = 2}).partition), 8);
    EXPECT_EQ(bottleneck(a, 4), Duration{3000});
    EXPECT_EQ(bottleneck(b, 2), Duration{3000});
    EXPECT_GT(bottleneck(b, 4), Duration{3000});  // eight stages would keep 32 samples
}

TEST(GraphPipe, OneDevice) {
    const TrainingProblem problem = test::training_problem(test::given_graph(case_study(2, 1, false)), test::given_devices(1), 4);
    EXPECT_EQ(graphpipe_plan(problem).partition.stages.size(), 1U);
}

TEST(GraphPipe, ReplicatesWhatCannotBeCut) {
    const TrainingProblem problem =
        test::training_problem(test::given_graph({{.forward = 100, .backward = 200, .parameters = {1}},
                                                  {.forward = 700, .backward = 1400, .reads = {0}, .parameters = {1}}}),
                               test::given_devices(8, {3}), 64);  // parameters and gradients of one operator fit, of both not
    const PlannerResult result = graphpipe_plan(problem, {.micro_batch = 16});
    ASSERT_EQ(result.partition.stages.size(), 2U);
    // 7 replicas would take ceil(16 / 7) = 3 samples each, as 6 do; the first stage is below that on one device.
    EXPECT_EQ(result.partition.stages[0].replicas, 1);
    EXPECT_EQ(result.partition.stages[1].replicas, 6);
}

TEST(GraphPipe, ManyEqualBranchesShareDevices) {
    // Six branches of one operator on three devices: two and two and two with what joins them.
    std::vector<GivenOperator> operators(6, {.forward = 100, .backward = 200});
    operators.push_back({.forward = 1, .backward = 2, .reads = {0, 1, 2, 3, 4, 5}});
    const TrainingProblem problem = test::training_problem(test::given_graph(operators), test::given_devices(3), 16);
    const PlannerResult result = graphpipe_plan(problem, {.micro_batch = 1});
    ASSERT_EQ(result.partition.stages.size(), 3U);
    EXPECT_EQ(most_in_flight(result.partition), 2);
    std::vector<std::size_t> sizes;
    for (const TrainingStage& stage : result.partition.stages) sizes.push_back(stage.nodes.size());
    EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 2, 3}));
}

TEST(GraphPipe, SharedSourceKeepsWhatItsDeepestBranchNeeds) {
    // 0 feeds a branch of one operator and one of three; all meet in 5. Each on a device of its own.
    const TrainingProblem problem = test::training_problem(
        test::given_graph({{100, 200}, {100, 200, {0}}, {100, 200, {1}}, {100, 200, {2}}, {100, 200, {0}}, {100, 200, {3, 4}}}),
        test::given_devices(6), 16);
    const PlannerResult result = graphpipe_plan(problem, {.micro_batch = 2});
    ASSERT_EQ(result.partition.stages.size(), 6U);
    std::vector<std::int64_t> in_flight(6);
    for (const TrainingStage& stage : result.partition.stages) in_flight[stage.nodes.front().index()] = stage.in_flight;
    EXPECT_EQ(in_flight, (std::vector<std::int64_t>{10, 8, 6, 4, 4, 2}));
}

TEST(GraphPipe, GraphsThatAreNotSeriesParallel) {
    // An N between two inputs and two outputs, twice.
    const std::vector<GivenOperator> operators{{100, 200},      {100, 200},         {100, 200, {0}}, {100, 200, {0, 1}},
                                               {100, 200, {2}}, {100, 200, {2, 3}}, {100, 200, {4}}, {100, 200, {5}}};
    for (const std::int64_t devices : {1, 2, 3, 4, 8}) {
        const TrainingProblem problem = test::training_problem(test::given_graph(operators), test::given_devices(devices), 16);
        const PlannerResult result = graphpipe_plan(problem);
        EXPECT_LE(cost::price(problem, result.partition).bottleneck.count(), 8 * 300 / devices + 300);
        EXPECT_FALSE(result.warnings.empty());
    }
}

TEST(GraphPipe, DevicesOfANodeStayTogether) {
    auto platform = test::given_devices(8);
    platform.topology = platform::Topology::hierarchy;
    platform.devices_per_node = 4;
    platform.node_link = platform::Link{ByteRate{1'000'000}, Duration{0}};
    // Two operators that take four devices each; reducing 4 bytes over nodes would cost 1000 times as much.
    const TrainingProblem problem =
        test::training_problem(test::given_graph({{.forward = 100'000, .backward = 200'000, .parameters = {4000}},
                                                  {.forward = 100'000, .backward = 200'000, .reads = {0}, .parameters = {4000}}}),
                               platform, 64);
    for (const TrainingStage& stage : graphpipe_plan(problem, {.micro_batch = 4}).partition.stages) {
        EXPECT_EQ(stage.replicas, 4);
        EXPECT_EQ(stage.first_device % 4, 0);
    }
}

TEST(GraphPipe, SaysWhichOperatorDoesNotFit) {
    const TrainingProblem problem =
        test::training_problem(test::given_graph({{.forward = 1, .backward = 2, .made = {8}, .parameters = {100}},
                                                  {.forward = 1, .backward = 2, .reads = {0}, .made = {8}, .parameters = {1000}}}),
                               test::given_devices(4, {1500}), 16);
    const Diagnostic diagnostic = graphpipe_refusal(problem);
    EXPECT_EQ(diagnostic.kind, DiagnosticKind::infeasible);
    EXPECT_EQ(diagnostic.message, "operator 1 alone needs 2.0 KiB, a 'device' has 1.5 KiB");
    // 2000 bytes of parameters and gradients, 8 for one sample
    EXPECT_NE(diagnostic.help.find("2.0 KiB each"), std::string::npos) << diagnostic.help;
}

TEST(GraphPipe, SaysWhatWouldFit) {
    // Each of four operators takes 200 bytes: on one device they do not fit, on devices of 808 they do.
    const auto operators = test::chain_of(4, {.made = {8}, .parameters = {100}});
    const Diagnostic diagnostic =
        graphpipe_refusal(test::training_problem(test::given_graph(operators), test::given_devices(1, {800}), 16));
    EXPECT_EQ(diagnostic.kind, DiagnosticKind::infeasible);
    EXPECT_EQ(diagnostic.message, "no graph of stages on 1 'device' fits their memory of 800 B each");
    EXPECT_NE(diagnostic.help.find("832 B each"), std::string::npos) << diagnostic.help;
    graphpipe_plan(test::training_problem(test::given_graph(operators), test::given_devices(1, {832}), 16));
}

TEST(GraphPipe, RefusesMicroBatchesThatDoNotDivide) {
    const TrainingProblem problem = test::training_problem(test::given_graph(test::chain_of(2)), test::given_devices(2), 16);
    EXPECT_EQ(graphpipe_refusal(problem, {.micro_batch = 3}).kind, DiagnosticKind::usage);
    EXPECT_EQ(graphpipe_refusal(problem, {.micro_batch = 32}).kind, DiagnosticKind::usage);
}

TEST(GraphPipe, RecomputesWhenAsked) {
    auto operators = test::chain_of(4, {.forward = 100, .backward = 200, .made = {8}, .parameters = {0}});
    const TrainingProblem problem = test::training_problem(test::given_graph(operators), test::given_devices(2, {64}), 16);
    const PlannerResult kept = graphpipe_plan(problem), again = graphpipe_plan(problem, {.recompute = true});
    for (const TrainingStage& stage : kept.partition.stages) EXPECT_FALSE(stage.recompute);
    for (const TrainingStage& stage : again.partition.stages) EXPECT_TRUE(stage.recompute);
}

TEST(GraphPipe, StopsWhenInterrupted) {
    const TrainingProblem problem = test::training_problem(test::given_graph(test::chain_of(3)), test::given_devices(2), 16);
    std::stop_source source;
    source.request_stop();
    SilentObserver observer;
    const auto result = plan_by_graphpipe(problem, {}, observer, {.deadline = {}, .evaluations = {}, .stop = source.get_token()});
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind, DiagnosticKind::stopped);
}

TEST(GraphPipe, ASearchThatIsStoppedFindsNoSplit) {
    const TrainingProblem problem = test::training_problem(test::given_graph(case_study(2, 2, false)), test::given_devices(4), 16);
    const graphpipe::Model model = graphpipe::model_of(problem, ClassId(0), 4);
    graphpipe::WorkTables work(problem, model, ClassId(0), false);
    std::stop_source source;
    const Limits limits{.deadline = {}, .evaluations = {}, .stop = source.get_token()};
    graphpipe::Search search(problem, model, work, {.micro_batches = {1}, .devices = 4}, limits);
    EXPECT_TRUE(search.within(1e9));
    source.request_stop();
    EXPECT_FALSE(search.within(1e9));
    graphpipe::Search late(problem, model, work, {.micro_batches = {2}, .devices = 4}, limits);
    EXPECT_FALSE(late.within(1e9));
}

TEST(GraphPipeFull, MixesMicroBatchesWhereNoOneSizeDoes) {
    // Operator 0 needs four devices, so four samples at a time, to keep up with operator 1, of which a device holds one sample; their
    // parameters do not fit together.
    const TrainingProblem problem = test::training_problem(
        test::given_graph({{.forward = 4'000'000, .backward = 8'000'000, .made = {8}, .parameters = {40}},
                           {.forward = 1'000'000, .backward = 2'000'000, .reads = {0}, .made = {64}, .parameters = {40}}}),
        test::given_devices(5, {150}), 64);
    const PlannerResult one = graphpipe_plan(problem), full = graphpipe_plan(problem, {}, plan_by_graphpipe_full);
    EXPECT_EQ(cost::price(problem, one.partition).bottleneck, Duration{6'000'000});  // micro-batches of 2, two replicas each
    EXPECT_EQ(cost::price(problem, full.partition).bottleneck, Duration{3'000'000});
    EXPECT_LT(full.iteration, one.iteration);
    ASSERT_EQ(full.partition.stages.size(), 2U);
    EXPECT_EQ(full.partition.stages[0].micro_batch, 4);
    EXPECT_EQ(full.partition.stages[0].replicas, 4);
    EXPECT_EQ(full.partition.stages[0].in_flight, 12);  // one micro-batch more than the rule asks for: the transfer is hidden
    EXPECT_EQ(full.partition.stages[1].micro_batch, 1);
}

TEST(GraphPipeModel, EqualBranchesAreOneChain) {
    const TrainingProblem problem = test::training_problem(test::given_graph(case_study(4, 2, false)), test::given_devices(8), 16);
    const graphpipe::Model model = graphpipe::model_of(problem, ClassId(0), 8);
    ASSERT_EQ(model.chains.size(), 2U);
    EXPECT_EQ(model.chains[0].nodes, 6U);
    ASSERT_EQ(model.chains[1].blocks.size(), 1U);
    ASSERT_EQ(model.chains[1].blocks[0].kinds.size(), 1U);
    EXPECT_EQ(model.chains[1].blocks[0].kinds[0].offsets.size(), 4U);
}

TEST(GraphPipeModel, LongChainsAreCoarsenedByWork) {
    // 640 equal operators on 4 devices: cuts no closer than 1/32 of a device's share, five operators.
    const TrainingProblem problem = test::training_problem(test::given_graph(test::chain_of(640)), test::given_devices(4), 16);
    const graphpipe::Model model = graphpipe::model_of(problem, ClassId(0), 4);
    EXPECT_GE(model.chains.back().count(), 100U);
    EXPECT_LE(model.chains.back().count(), 130U);
}

}  // namespace
}  // namespace sluice::training
