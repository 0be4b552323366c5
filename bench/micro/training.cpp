// Instructions a second of training schedules: ordering a pipeline's passes, lowering with it, and simulating the program. A chain with a
// stage a device, times drawn so that events do not fall on the same times.
#include <benchmark/benchmark.h>

#include <format>

#include "sluice/base/random.hpp"
#include "sluice/program/training_order.hpp"
#include "sluice/simulate/training.hpp"
#include "tests/support/training.hpp"

namespace sluice {
namespace {

using cost::Schedule;

constexpr std::int64_t kTrainingStages = 16;

struct Chain {
    cost::TrainingProblem problem;
    cost::TrainingPartition partition;
};

Chain training_chain(Schedule schedule, std::int64_t micro_batches) {
    RandomStream random(7);
    auto operators = test::chain_of(kTrainingStages);
    for (test::GivenOperator& op : operators) {
        op.forward = random.between(500'000, 1'000'000);
        op.backward = 2 * op.forward;
        op.made = Bytes{random.between(100, 400)};
    }
    Chain made{test::training_problem(test::given_graph(operators), test::given_devices(kTrainingStages), micro_batches), {}};
    made.partition = test::one_node_a_stage(made.problem, 1, schedule);
    return made;
}

template <typename Lists>
std::int64_t count_of(const Lists& lists) {
    std::int64_t count = 0;
    for (const auto& list : lists) count += std::ssize(list);
    return count;
}

/// `run` returns how many instructions it had.
void measure_training(benchmark::State& state, auto&& run) {
    std::int64_t instructions = 0;
    for (auto _ : state) instructions += run();
    state.counters["instructions/s"] = benchmark::Counter(static_cast<double>(instructions), benchmark::Counter::kIsRate);
}

void order_work(benchmark::State& state, Schedule schedule, std::int64_t micro_batches) {
    const Chain of = training_chain(schedule, micro_batches);
    const program::Pipeline pipeline = program::pipeline_of(of.problem, of.partition);
    measure_training(state, [&] { return count_of(program::order_work(pipeline, schedule).groups); });
}

void lower_training(benchmark::State& state, Schedule schedule, std::int64_t micro_batches) {
    const Chain of = training_chain(schedule, micro_batches);
    measure_training(state, [&] { return count_of(program::lower_training(of.problem, of.partition).lists); });
}

void simulate_training(benchmark::State& state, Schedule schedule, std::int64_t micro_batches) {
    const Chain of = training_chain(schedule, micro_batches);
    const program::TrainingProgram program = program::lower_training(of.problem, of.partition);
    measure_training(state, [&] { return simulate::simulate_training(program, of.problem.interconnect, false).instructions; });
}

[[maybe_unused]] const bool training_registered = [] {
    for (const auto& [schedule, micro_batches] :
         {std::pair{Schedule::one_f_one_b, 4096}, {Schedule::zero_bubble, 4096}, {Schedule::list, 4096}, {Schedule::list, 64}}) {
        const auto add = [&](const char* name, auto* run) {
            benchmark::RegisterBenchmark(std::format("{}/{}/micro_batches:{}", name, to_text(schedule), micro_batches), run, schedule,
                                         micro_batches)
                ->Unit(benchmark::kMillisecond);
        };
        add("order_work", order_work);
        add("lower_training", lower_training);
        add("simulate_training", simulate_training);
    }
    return true;
}();

}  // namespace
}  // namespace sluice
