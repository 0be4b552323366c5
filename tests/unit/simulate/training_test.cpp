// Iteration times against closed forms (training notes 6.1, 9 V6): forward 1, gradient of the input 1, gradient of the weights 1.
#include "sluice/simulate/training.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "sluice/program/training_order.hpp"
#include "tests/support/training.hpp"

namespace sluice::simulate {
namespace {

using cost::Schedule;

TrainingResult simulated(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition) {
    EXPECT_TRUE(cost::faults_of(problem, partition).empty()) << cost::faults_of(problem, partition).front().message;
    const auto program = program::lower_training(problem, partition);
    const auto faults = program::faults_of(program);
    EXPECT_TRUE(faults.empty()) << faults.front().message;
    return simulate_training(program, problem.interconnect, problem.structure.model == cost::StageModel::serial);
}

/// `branches` chains of `depth` stages. Each begins with an operator of no work, so that its first stage has an input gradient, too.
struct Balanced {
    cost::TrainingProblem problem;
    std::vector<std::vector<std::size_t>> stages;
};

Balanced balanced(std::size_t branches, std::size_t depth, std::int64_t mini_batch) {
    std::vector<test::GivenOperator> operators;
    Balanced made;
    for (std::size_t b = 0; b < branches; ++b) {
        operators.push_back({.forward = 0, .backward = 0});
        for (std::size_t d = 0; d < depth; ++d) {
            operators.push_back({.reads = {operators.size() - 1}});
            made.stages.push_back({operators.size() - 1});
            if (d == 0) made.stages.back().insert(made.stages.back().begin(), operators.size() - 2);
        }
    }
    made.problem =
        test::training_problem(test::given_graph(operators), test::given_devices(static_cast<std::int64_t>(branches * depth)), mini_batch);
    return made;
}

TrainingResult simulated(const Balanced& of, Schedule schedule) {
    return simulated(of.problem, test::stages_of(of.problem, of.stages, 1, schedule));
}

class ClosedForms : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(ClosedForms, Chain) {
    const std::int64_t m = GetParam();
    const Balanced chain = balanced(1, 8, m);
    EXPECT_EQ(simulated(chain, Schedule::one_f_one_b).iteration.count(), 3 * (m + 7));
    EXPECT_EQ(simulated(chain, Schedule::gpipe).iteration.count(), 3 * (m + 7));
    // With as much memory as the first stage of 1F1B needs, on every device; two micro-batches more lose nothing in the middle either.
    EXPECT_LE(simulated(chain, Schedule::zero_bubble).iteration.count(), 3 * m + (m == 8 ? 7 : 9));
    auto roomy = test::stages_of(chain.problem, chain.stages, 1, Schedule::zero_bubble);
    roomy.schedule = Schedule::list;
    for (cost::TrainingStage& stage : roomy.stages) stage.in_flight = std::min(m, stage.in_flight + 2);
    EXPECT_EQ(simulated(chain.problem, roomy).iteration.count(), 3 * m + 7);
}

TEST_P(ClosedForms, TwoBranchesOfDepthFour) {
    const std::int64_t m = GetParam();
    const Balanced branches = balanced(2, 4, m);
    EXPECT_EQ(simulated(branches, Schedule::one_f_one_b).iteration.count(), 3 * (m + 3));
    EXPECT_LE(simulated(branches, Schedule::zero_bubble).iteration.count(), 3 * m + 5);
}

INSTANTIATE_TEST_SUITE_P(MicroBatches, ClosedForms, ::testing::Values(8, 16, 32, 64));

TEST(TrainingSimulation, BusyTimeIsAllWork) {
    const auto result = simulated(balanced(1, 4, 16), Schedule::one_f_one_b);
    for (const GroupUse& group : result.groups) EXPECT_EQ(group.busy.count(), 48);
    EXPECT_DOUBLE_EQ(result.bubble, 1 - 48.0 / static_cast<double>(result.iteration.count()));
}

TEST(TrainingSimulation, MemoryIsStatePlusWhatIsInFlight) {
    auto operators = test::chain_of(4, {.made = Bytes{10}});
    const auto problem = test::training_problem(test::given_graph(operators), test::given_devices(4), 16);
    const auto partition = test::one_node_a_stage(problem, 1, Schedule::one_f_one_b);
    const auto result = simulated(problem, partition);
    for (std::size_t s = 0; s < 4; ++s) {
        EXPECT_EQ(partition.stages[s].in_flight, static_cast<std::int64_t>(4 - s));
        EXPECT_EQ(result.groups[s].peak_memory.count, 8 + 10 * static_cast<std::int64_t>(4 - s));
    }
}

TEST(TrainingSimulation, JointBackwardPassesTakeWhatOneForwardOneBackwardTakes) {
    for (const std::int64_t m : {8, 16}) {
        const Balanced chain = balanced(1, 8, m);
        for (const Schedule schedule : {Schedule::list, Schedule::zero_bubble}) {
            auto partition = test::stages_of(chain.problem, chain.stages, 1, Schedule::one_f_one_b);
            partition.schedule = schedule;
            for (cost::TrainingStage& stage : partition.stages) stage.joint_backward = true;
            EXPECT_EQ(simulated(chain.problem, partition).iteration.count(), 3 * (m + 7));
        }
    }
}

TEST(TrainingSimulation, RecomputationSavesAllThatIsKeptOnlyInJointBackwardPasses) {
    // The last stage keeps 10 bytes a sample, and 20 for the gradient of its weights; what enters it is 3.
    auto operators = test::chain_of(2, {.made = Bytes{10}});
    operators[0].made = Bytes{3};
    const auto problem = test::training_problem(test::given_graph(operators), test::given_devices(2), 8);
    auto partition = test::one_node_a_stage(problem, 1, Schedule::list);
    cost::TrainingStage& last = partition.stages[1];
    last.recompute = true;
    last.in_flight = 4;
    const auto need = [&] { return cost::memory_need(last, cost::training_terms(problem, last), Schedule::list).count; };
    EXPECT_EQ(need(), 8 + 4 * 20 + 10);
    last.joint_backward = true;
    EXPECT_EQ(need(), 8 + 4 * 3 + 10);
    EXPECT_LE(simulated(problem, partition).groups[1].peak_memory.count, need());
}

TEST(TrainingSimulation, PaperExampleOfMixedMicroBatches) {
    // Training notes 2.3: micro-batches 1, 2, 4 on three stages keep 10 samples at the first one, uniform ones of 4 keep 12.
    const auto problem = test::training_problem(test::given_graph(test::chain_of(3)), test::given_devices(3), 128);
    auto mixed = test::one_node_a_stage(problem, 1, Schedule::one_f_one_b),
         uniform = test::one_node_a_stage(problem, 4, Schedule::one_f_one_b);
    mixed.stages[1].micro_batch = 2;
    mixed.stages[2].micro_batch = 4;
    cost::set_in_flight(problem, mixed);
    EXPECT_EQ(mixed.stages[0].in_flight, 10);
    EXPECT_EQ(mixed.stages[1].in_flight, 8);
    EXPECT_EQ(uniform.stages[0].in_flight, 12);
    EXPECT_EQ(simulated(problem, mixed).iteration.count(), 402);
    EXPECT_EQ(simulated(problem, uniform).iteration.count(), 408);
}

TEST(TrainingSimulation, InterleavedChunksShrinkTheBubble) {
    // Megatron: bubble (p - 1) / v of a stage's time. Eight operators on four devices, two chunks each.
    const auto problem = test::training_problem(test::given_graph(test::chain_of(8)), test::given_devices(4), 8);
    auto partition = test::one_node_a_stage(problem, 1, Schedule::interleaved);
    for (std::size_t s = 0; s < 8; ++s) partition.stages[s].first_device = static_cast<std::int64_t>(s % 4);
    cost::set_in_flight(problem, partition);
    EXPECT_EQ(simulated(problem, partition).iteration.count(), 2 * 3 * 8 + 3 * 3);
}

TEST(TrainingSimulation, SamplesAreNotSharedOut) {
    // Two samples of five bytes, three replicas at both ends: no wire carries less than one sample, none more.
    const auto problem = test::training_problem(test::given_graph(test::chain_of(2, {.made = Bytes{5}})), test::given_devices(6), 2);
    auto partition = test::one_node_a_stage(problem, 2, Schedule::one_f_one_b);
    for (cost::TrainingStage& stage : partition.stages) stage.replicas = 3;
    partition.stages[1].first_device = 3;
    const auto result = simulated(problem, partition);
    // forward, 5 bytes, forward and both gradients, 5 bytes back, both gradients, the sum of 4 bytes of gradients, the step
    const cost::TrainingTerms terms = cost::training_terms(problem, partition.stages[0]);
    EXPECT_EQ(result.iteration, 2 * terms.pass.total() + Duration{2 * 5000} + terms.all_reduce + terms.optimizer);
}

TEST(TrainingSimulation, SharedParametersAreSummedAfterEachStagesOwn) {
    // Stages 0 and 2 share the first operator's parameters; what the last one has takes stage 2 long to sum.
    const auto problem = test::training_problem(test::given_graph({{.parameters = Bytes{300}},
                                                                   {.reads = {0}, .parameters = Bytes{1000}},
                                                                   {.reads = {1}, .ties = 0},
                                                                   {.reads = {2}, .parameters = Bytes{100'000}}}),
                                                test::given_devices(5), 4, cost::Optimizer::adam_mixed);
    cost::TrainingPartition partition{.stages = {{.nodes = {NodeId(0)}, .replicas = 2, .micro_batch = 2},
                                                 {.nodes = {NodeId(1)}, .first_device = 4, .micro_batch = 2},
                                                 {.nodes = {NodeId(2), NodeId(3)}, .first_device = 2, .replicas = 2, .micro_batch = 2}}};
    cost::set_in_flight(problem, partition);
    auto program = program::lower_training(problem, partition);
    ASSERT_EQ(program.reductions.size(), 3);
    for (const auto& [reduction, bytes] : {std::pair{0, 150}, {1, 50'150}, {2, 150}})  // gradients are in bf16
        EXPECT_EQ(program.reductions[static_cast<std::size_t>(reduction)].bytes, Bytes{bytes});
    const Duration with = simulated(problem, partition).iteration;
    const Duration tie = std::exchange(program.reductions[2].time, Duration{1});
    EXPECT_GT(tie, Duration{1});
    EXPECT_EQ(with - simulate_training(program, problem.interconnect, false).iteration, tie - Duration{1});
}

TEST(TrainingSimulation, StopsInTheMiddle) {
    const Balanced chain = balanced(1, 2, std::int64_t{1} << 16);
    std::stop_source source;
    const Limits free{.deadline = {}, .evaluations = 0, .stop = source.get_token()};
    const auto partition = test::stages_of(chain.problem, chain.stages, 1, Schedule::list);
    const auto program = program::lower_training(chain.problem, partition, free);
    ASSERT_EQ(program, program::lower_training(chain.problem, partition));
    EXPECT_EQ(simulate_training(*program, chain.problem.interconnect, false, {}, free)->iteration,
              simulated(chain.problem, partition).iteration);
    source.request_stop();
    const Limits past{.deadline = Limits::Clock::now(), .evaluations = {}, .stop = {}};
    for (const Limits& limits : {free, past}) {
        for (const Schedule schedule : cost::kSchedules)
            EXPECT_FALSE(program::order_work(program::pipeline_of(chain.problem, partition), schedule, limits)) << to_text(schedule);
        EXPECT_FALSE(program::lower_training(chain.problem, partition, limits));
        EXPECT_FALSE(simulate_training(*program, chain.problem.interconnect, false, {}, limits));
    }
}

TEST(TrainingSimulation, LinksCarryEveryChunkOnce) {
    const auto problem = test::training_problem(test::given_graph(test::chain_of(2, {.made = Bytes{5}})), test::given_devices(2), 8);
    const auto result = simulated(problem, test::one_node_a_stage(problem, 2, Schedule::one_f_one_b));
    ASSERT_EQ(result.links.size(), 4);  // out of each group, into each
    for (const LinkUse& link : result.links) EXPECT_EQ(link.bytes.count, 40);
}

}  // namespace
}  // namespace sluice::simulate
