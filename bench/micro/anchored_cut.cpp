// The anchored cut over all anchors, one thread.
#include "sluice/bound/anchored_cut.hpp"

#include <benchmark/benchmark.h>

#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

void anchored_cut(benchmark::State& state) {
    RandomStream random(7, 3);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = static_cast<std::size_t>(state.range(0));
    options.largest_time = 10'000'000;
    options.largest_transfer = state.range(1);
    options.spill = state.range(2) != 0 ? 1 : 0;
    options.overlap = state.range(3) != 0 ? 1 : 0;
    const auto problem = test::random_problem(random, options, 16);
    SilentObserver observer;
    std::int64_t flows = 0;
    for (auto _ : state) flows = bound::prove_cut(problem, {.stages = 16}, observer, {})->termination.evaluations;
    state.counters["flows"] = static_cast<double>(flows);
}
BENCHMARK(anchored_cut)
    ->ArgNames({"n", "transfer", "spill", "overlap"})
    ->Unit(benchmark::kMillisecond)
    ->Args({2'000, 10'000'000, 0, 0})
    ->Args({2'000, 100'000'000, 0, 0})
    ->Args({2'000, 100'000'000, 1, 0})
    ->Args({2'000, 100'000'000, 0, 1})
    ->Args({10'000, 100'000'000, 0, 0});

}  // namespace
}  // namespace sluice
