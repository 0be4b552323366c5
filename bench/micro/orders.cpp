// Making one topological order of each kind, and the cones that heavy-cone orders need once a problem.
#include "sluice/inference/orders.hpp"

#include <benchmark/benchmark.h>

#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using inference::ConeDirection;

const cost::StageProblem& problem() {
    static const cost::StageProblem made = [] {
        RandomStream random(7, 3);
        test::RandomProblemOptions options;
        options.min_operators = options.max_operators = 10'000;
        return test::random_problem(random, options);
    }();
    return made;
}

void order_random(benchmark::State& state) {
    RandomStream random(1);
    for (auto _ : state) benchmark::DoNotOptimize(inference::random_order(problem(), random));
}
void order_depth_first(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(inference::depth_first_order(problem()));
}
void order_greedy_frontier(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(inference::greedy_frontier_order(problem()));
}
void order_cone_work(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(inference::cone_work(problem(), ConeDirection::from_sinks));
}
void order_heavy_cone(benchmark::State& state) {
    const auto cones = inference::cone_work(problem(), ConeDirection::from_sinks);
    for (auto _ : state) benchmark::DoNotOptimize(inference::heavy_cone_order(problem(), ConeDirection::from_sinks, cones));
}

BENCHMARK(order_random)->Unit(benchmark::kMillisecond);
BENCHMARK(order_depth_first)->Unit(benchmark::kMillisecond);
BENCHMARK(order_greedy_frontier)->Unit(benchmark::kMillisecond);
BENCHMARK(order_cone_work)->Unit(benchmark::kMillisecond);
BENCHMARK(order_heavy_cone)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sluice
