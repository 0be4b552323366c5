// What holds for every training plan, whatever its graph, groups, micro-batches and schedule.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "sluice/simulate/training.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/random_training.hpp"

namespace sluice::simulate {
namespace {

using test::RandomTraining;

TrainingResult simulated(const RandomTraining& training, const program::TrainingProgram& program) {
    return simulate_training(program, training.problem.interconnect, training.problem.structure.model == cost::StageModel::serial);
}

class EverySchedule : public ::testing::TestWithParam<cost::Schedule> {
protected:
    void each(auto&& check) {
        for (std::uint64_t seed = 0; seed < test::cases(1500); ++seed) {
            RandomStream random(seed, static_cast<std::uint64_t>(GetParam()));
            const RandomTraining training = test::random_training(random, 12, GetParam());
            SCOPED_TRACE(seed);
            ASSERT_TRUE(cost::faults_of(training.problem, training.partition).empty())
                << cost::faults_of(training.problem, training.partition).front().message;
            ASSERT_NO_FATAL_FAILURE(check(training));
        }
    }
};

TEST_P(EverySchedule, ProgramsAreSoundAndFreeOfDeadlock) {
    each([](const RandomTraining& training) {
        const auto faults = program::faults_of(program::lower_training(training.problem, training.partition));
        ASSERT_TRUE(faults.empty()) << to_text(faults.front());
    });
}

TEST_P(EverySchedule, TakesAtLeastTheWorkOfTheBusiestGroup) {
    each([](const RandomTraining& training) {
        const auto result = simulated(training, program::lower_training(training.problem, training.partition));
        std::map<std::int64_t, Duration> work;
        for (const cost::TrainingStage& stage : training.partition.stages) {
            const cost::TrainingTerms terms = cost::training_terms(training.problem, stage);
            work[stage.first_device] += terms.pass.total() * (training.problem.options.mini_batch / stage.micro_batch) + terms.optimizer;
        }
        for (const auto& [first, time] : work) ASSERT_GE(result.iteration, time);
        if (training.problem.structure.model == cost::StageModel::serial) return;  // transfers are part of passes there
        std::vector<Duration> busy;
        for (const GroupUse& group : result.groups) busy.push_back(group.busy);
        std::vector<Duration> wanted;
        for (const auto& [first, time] : work) wanted.push_back(time);
        std::ranges::sort(busy);
        std::ranges::sort(wanted);
        ASSERT_EQ(busy, wanted);
    });
}

TEST_P(EverySchedule, MemoryStaysWithinWhatTheStagesNeed) {
    each([](const RandomTraining& training) {
        const auto program = program::lower_training(training.problem, training.partition);
        const auto result = simulated(training, program);
        std::vector<Bytes> need(program.groups.size());
        for (std::size_t s = 0; s < program.stages.size(); ++s) {
            const cost::TrainingStage& stage = training.partition.stages[s];
            need[program.stages[s].group] +=
                cost::memory_need(stage, cost::training_terms(training.problem, stage), training.partition.schedule);
        }
        for (std::size_t g = 0; g < need.size(); ++g) ASSERT_LE(result.groups[g].peak_memory, need[g]);
    });
}

TEST_P(EverySchedule, GradientsOfAJointStageAreOnePass) {
    each([](const RandomTraining& training) {
        const auto program = program::lower_training(training.problem, training.partition);
        for (const auto& list : program.lists)
            for (std::size_t at = 0; at < list.size(); ++at) {
                if (list[at].step != program::TrainingStep::backward_input) continue;
                if (cost::splits_backward(training.partition.stages[list[at].of], training.partition.schedule)) continue;
                ASSERT_LT(at + 1, list.size());
                ASSERT_EQ(list[at + 1],
                          (program::TrainingInstruction{program::TrainingStep::backward_weight, list[at].of, list[at].index}));
            }
    });
}

TEST_P(EverySchedule, EveryByteCrossesEachLinkOnItsWay) {
    each([](const RandomTraining& training) {
        if (training.problem.structure.model == cost::StageModel::serial) return;
        const auto program = program::lower_training(training.problem, training.partition);
        std::int64_t sent = 0, left = 0, entered = 0, up = 0, down = 0;
        for (const program::TrainingChannel& channel : program.channels)
            if (program.stages[channel.from].group != program.stages[channel.to].group) sent += channel.bytes.count * channel.chunks;
        for (const LinkUse& link : simulated(training, program).links)
            (link.name.contains(" out")      ? left
             : link.name.contains(" in")     ? entered
             : link.name.contains(" uplink") ? up
                                             : down) += link.bytes.count;
        ASSERT_EQ(left, sent);
        ASSERT_EQ(entered, sent);
        ASSERT_EQ(up, down);
    });
}

std::string name_of(const ::testing::TestParamInfo<cost::Schedule>& schedule) {
    std::string name(to_text(schedule.param));
    std::ranges::replace(name, '-', '_');
    return name == "1f1b" ? "kfkb" : name;
}
INSTANTIATE_TEST_SUITE_P(Training, EverySchedule, ::testing::ValuesIn(cost::kSchedules), name_of);

// Design §3.3's rule: never too small, and for k = 1 no smaller cap does. Two balanced stages without transfers, all sizes of the notes.
TEST(InFlightRule, IsEnoughOnTwoStagesAndLeastForOneForwardOneBackward) {
    const auto problem = test::training_problem(test::given_graph(test::chain_of(2)), test::given_devices(2), 64);
    int least = 0, all = 0;
    for (const std::int64_t bx : {1, 2, 4})
        for (const std::int64_t by : {1, 2, 4})
            for (const std::int64_t kx : {1, 2, 4})
                for (const std::int64_t ky : {1, 2, 4}) {
                    auto partition = test::one_node_a_stage(problem, 1, cost::Schedule::one_f_one_b);
                    partition.stages[0].micro_batch = bx;
                    partition.stages[1].micro_batch = by;
                    partition.stages[0].k = kx;
                    partition.stages[1].k = ky;
                    cost::set_in_flight(problem, partition);
                    const auto time = [&](std::int64_t in_flight) {
                        auto with = partition;
                        with.stages[0].in_flight = in_flight;
                        return simulate_training(program::lower_training(problem, with), problem.interconnect, false).iteration;
                    };
                    const std::int64_t rule = partition.stages[0].in_flight;
                    EXPECT_EQ(time(rule), time(64)) << bx << by << kx << ky;
                    const bool tight = rule - bx < kx * bx || time(rule - bx) > time(rule);
                    least += tight;
                    ++all;
                    EXPECT_TRUE(tight || kx > 1 || ky > 1) << bx << by;
                }
    EXPECT_EQ(all, 81);
    EXPECT_GE(least, 78);
}

}  // namespace
}  // namespace sluice::simulate
