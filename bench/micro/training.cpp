// Instructions a second of training schedules: ordering a pipeline's passes, lowering with it, and simulating the program. A chain with a
// stage a device, times drawn so that events do not fall on the same times.
#include <benchmark/benchmark.h>

#include "sluice/base/random.hpp"
#include "sluice/program/training_order.hpp"
#include "sluice/simulate/training.hpp"
#include "tests/support/training.hpp"

namespace sluice {
namespace {

constexpr std::int64_t kStages = 16;

struct Chain {
    cost::TrainingProblem problem;
    cost::TrainingPartition partition;
};

Chain chain(cost::Schedule schedule, std::int64_t micro_batches) {
    RandomStream random(7);
    auto operators = testing::chain_of(kStages);
    for (testing::GivenOperator& op : operators) {
        op.forward = random.between(500'000, 1'000'000);
        op.backward = 2 * op.forward;
        op.made = Bytes{random.between(100, 400)};
    }
    Chain made{testing::training_problem(testing::given_graph(operators), testing::given_devices(kStages), micro_batches), {}};
    made.partition = testing::one_node_a_stage(made.problem, 1, schedule);
    return made;
}

/// Range 0: the schedule; 1: micro-batches. `run` returns how many instructions it had.
void measure(benchmark::State& state, auto&& run) {
    const Chain of = chain(static_cast<cost::Schedule>(state.range(0)), state.range(1));
    state.SetLabel(std::string(to_text(of.partition.schedule)));
    std::int64_t instructions = 0;
    const auto measured = run(of);
    for (auto _ : state) instructions += measured();
    state.counters["instructions/s"] = benchmark::Counter(static_cast<double>(instructions), benchmark::Counter::kIsRate);
}

void schedules(benchmark::internal::Benchmark* bench) {
    bench->ArgNames({"schedule", "micro_batches"})->Unit(benchmark::kMillisecond);
    for (const cost::Schedule schedule : {cost::Schedule::one_f_one_b, cost::Schedule::zero_bubble, cost::Schedule::list})
        bench->Args({static_cast<std::int64_t>(schedule), 4096});
    bench->Args({static_cast<std::int64_t>(cost::Schedule::list), 64});
}

void order_work(benchmark::State& state) {
    measure(state, [](const Chain& of) {
        return [&, pipeline = program::pipeline_of(of.problem, of.partition)] {
            std::int64_t passes = 0;
            for (const auto& group : program::order_work(pipeline, of.partition.schedule).groups) passes += std::ssize(group);
            return passes;
        };
    });
}
BENCHMARK(order_work)->Apply(schedules);

void lower_training(benchmark::State& state) {
    measure(state, [](const Chain& of) {
        return [&] {
            std::int64_t instructions = 0;
            for (const auto& list : program::lower_training(of.problem, of.partition).lists) instructions += std::ssize(list);
            return instructions;
        };
    });
}
BENCHMARK(lower_training)->Apply(schedules);

void simulate_training(benchmark::State& state) {
    measure(state, [](const Chain& of) {
        return [&, program = program::lower_training(of.problem, of.partition)] {
            return simulate::simulate_training(program, of.problem.interconnect, false).instructions;
        };
    });
}
BENCHMARK(simulate_training)->Apply(schedules);

}  // namespace
}  // namespace sluice
