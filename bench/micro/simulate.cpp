// Events a second of the simulator: a chain of devices, alone and over shared links; a wide DAG with replicas. And lowering with its check.
#include <benchmark/benchmark.h>

#include "sluice/program/check.hpp"
#include "sluice/simulate/inference.hpp"
#include "tests/support/random_program.hpp"

namespace sluice {
namespace {

platform::Platform machine(platform::Topology topology, platform::StageModel model) {
    platform::Platform platform = test::detail::must(platform::load_platform("asic-16"));
    platform.topology = topology;
    platform.model = model;
    platform.stage_link = {ByteRate{1'000'000'000'000}, Duration{0}};
    return platform;
}

/// Work drawn so that events do not fall on the same times.
program::Program chain_program(std::int64_t devices) {
    RandomStream random(5);
    std::vector<test::StageSketch> stages;
    std::vector<test::ChannelSketch> channels{{-1, 0, 0, 2}};
    for (std::int64_t s = 0; s < devices; ++s) {
        stages.push_back({random.between(500'000, 1'000'000)});
        const std::int64_t bytes = random.between(1'000, 100'000);
        if (s + 1 < devices) channels.push_back({static_cast<int>(s), static_cast<int>(s + 1), bytes, 2, bytes});
    }
    channels.push_back({static_cast<int>(devices - 1), -1, 0, 2});
    return test::program_of(stages, channels);
}

void measure_inference(benchmark::State& state, const program::Program& program, const platform::Platform& platform,
                       const simulate::InferenceOptions& options) {
    std::int64_t events = 0;
    for (auto _ : state) {
        const auto result = simulate_inference(program, platform, options);
        events += result->events;
        benchmark::ClobberMemory();
    }
    state.counters["events/s"] = benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsRate);
}

void simulate_chain(benchmark::State& state) {
    const auto topology = static_cast<platform::Topology>(state.range(2));
    const auto model = state.range(3) != 0 ? platform::StageModel::overlap : platform::StageModel::serial;
    const auto sharing = state.range(4) != 0 ? simulate::LinkSharing::fair : simulate::LinkSharing::fifo;
    measure_inference(state, chain_program(state.range(0)), machine(topology, model), {.inputs = state.range(1), .sharing = sharing});
}
BENCHMARK(simulate_chain)
    ->ArgNames({"devices", "inputs", "topology", "overlap", "fair"})
    ->Unit(benchmark::kMillisecond)
    ->Args({16, 10'000, 0, 0, 0})
    ->Args({64, 10'000, 0, 0, 0})
    ->Args({64, 10'000, 0, 1, 0})
    ->Args({64, 10'000, 1, 0, 0})
    ->Args({64, 10'000, 1, 0, 1})
    ->Args({2'000, 1'000, 0, 0, 0})
    ->Args({2'000, 10'000, 0, 0, 0});

void simulate_dag(benchmark::State& state) {
    RandomStream random(9);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = 2'000;
    options.largest_time = options.largest_transfer = 10'000'000;
    options.spill = 0;
    const auto plan = test::random_lowered_plan(random, options, 64, 3);
    state.counters["channels"] = static_cast<double>(plan.program.channels.size());
    measure_inference(state, plan.program, plan.platform, {.inputs = state.range(0)});
}
BENCHMARK(simulate_dag)->ArgNames({"inputs"})->Unit(benchmark::kMillisecond)->Arg(1'000);

void lower_and_check(benchmark::State& state) {
    RandomStream random(9);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = 10'000;
    const auto plan = test::random_lowered_plan(random, options, 1'000, 3);
    state.counters["ranks"] = static_cast<double>(plan.program.ranks);
    for (auto _ : state) {
        const auto program = program::lower(plan.graph, plan.problem, plan.partition);
        std::size_t faults = program::faults_of(*program).size();
        benchmark::DoNotOptimize(faults);
    }
}
BENCHMARK(lower_and_check)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sluice
