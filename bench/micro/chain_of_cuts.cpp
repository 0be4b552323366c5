// The chain of cuts: its tables, one threshold, the whole bound; and counting weights at one threshold. One thread.
#include "sluice/search/chain_of_cuts.hpp"
#include "sluice/search/counting.hpp"

#include <benchmark/benchmark.h>

#include "sluice/bound/registry.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

cost::StageProblem problem_to_refute(std::int64_t operators) {
    RandomStream random(7, 3);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = static_cast<std::size_t>(operators);
    options.largest_time = 10'000'000;
    options.largest_transfer = 10'000'000;
    options.spill = 0;
    return test::random_problem(random, options, 16);
}

std::int64_t even_share(const search::SerialProblem& problem) { return problem.total_work() / problem.devices; }

void chain_build(benchmark::State& state) {
    const auto problem = merge_safely(*search::relax_to_serial(problem_to_refute(state.range(0)), 16, 1));
    const auto order = heavy_cone_order(problem);
    for (auto _ : state) benchmark::DoNotOptimize(search::ChainOfCuts::build(problem, order, 0, {}));
    state.counters["groups"] = static_cast<double>(problem.group_count());
}

void chain_refute(benchmark::State& state) {
    const auto problem = merge_safely(*search::relax_to_serial(problem_to_refute(state.range(0)), 16, 1));
    const auto chain = search::ChainOfCuts::build(problem, heavy_cone_order(problem), 0, {});
    for (auto _ : state) benchmark::DoNotOptimize(chain->refutes(even_share(problem) * 5 / 4));
}

void counting(benchmark::State& state) {
    const auto problem = merge_safely(*search::relax_to_serial(problem_to_refute(state.range(0)), 16, 1));
    for (auto _ : state) benchmark::DoNotOptimize(search::counting_weights(problem, even_share(problem) * 5 / 4, 1, {}));
}

void chain_bound(benchmark::State& state) {
    const auto problem = problem_to_refute(state.range(0));
    SilentObserver observer;
    for (auto _ : state) benchmark::DoNotOptimize(bound::find_bound("chain").value()->prove(problem, {.stages = 16}, observer, {}));
}

BENCHMARK(chain_build)->Unit(benchmark::kMillisecond)->Arg(500)->Arg(2'000)->Arg(10'000);
BENCHMARK(chain_refute)->Unit(benchmark::kMillisecond)->Arg(500)->Arg(2'000)->Arg(10'000);
BENCHMARK(counting)->Unit(benchmark::kMillisecond)->Arg(500)->Arg(2'000);
BENCHMARK(chain_bound)->Unit(benchmark::kMillisecond)->Arg(500)->Arg(2'000);

}  // namespace
}  // namespace sluice
