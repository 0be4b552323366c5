// Slice DP at real size: 10,000 operators, k = 64. `First` has no incumbent and finds the optimum of its order; `Evaluate` asks the usual
// question, whether another order beats the incumbent; `Improve` starts from an incumbent that is 5 % too dear.
#include "sluice/search/slice.hpp"

#include <benchmark/benchmark.h>

#include "sluice/inference/orders.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

cost::StageProblem problem_to_slice(std::size_t operators, std::int64_t largest_transfer, bool spill) {
    RandomStream random(7, 3);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = operators;
    options.largest_time = 10'000'000;
    options.largest_transfer = largest_transfer;
    options.largest_bytes = 1 << 20;
    options.spill = spill ? 1 : 0;
    options.shared_weights = 1;
    return test::random_problem(random, options, 64);
}

constexpr std::int64_t kSliceStages = 64;

void slice_first(benchmark::State& state) {
    const auto problem = problem_to_slice(static_cast<std::size_t>(state.range(0)), state.range(1), state.range(2) != 0);
    const auto order = inference::depth_first_order(problem);
    search::Slicer slicer(problem);
    for (auto _ : state) benchmark::DoNotOptimize(slicer.slice(order, {.stages = kSliceStages}));
}

void slice_evaluate(benchmark::State& state) {
    const auto problem = problem_to_slice(static_cast<std::size_t>(state.range(0)), state.range(1), state.range(2) != 0);
    search::Slicer slicer(problem);
    const auto incumbent = price(problem, *slicer.slice(inference::depth_first_order(problem), {.stages = kSliceStages})).bottleneck;
    RandomStream random(1);
    const auto order = inference::depth_first_order(problem, &random);
    const auto own = price(problem, *slicer.slice(order, {.stages = kSliceStages})).bottleneck;
    for (auto _ : state) benchmark::DoNotOptimize(slicer.slice(order, {.stages = kSliceStages, .below = std::min(incumbent, own)}));
}

void slice_improve(benchmark::State& state) {
    const auto problem = problem_to_slice(static_cast<std::size_t>(state.range(0)), state.range(1), state.range(2) != 0);
    search::Slicer slicer(problem);
    const auto order = inference::depth_first_order(problem);
    const auto own = price(problem, *slicer.slice(order, {.stages = kSliceStages})).bottleneck;
    for (auto _ : state) benchmark::DoNotOptimize(slicer.slice(order, {.stages = kSliceStages, .below = own + own / 20}));
}

// Operators; longest transfer (work is up to 10 us): light, balanced, heavy communication; spill.
void sizes(::benchmark::internal::Benchmark* bench) {
    bench->ArgNames({"n", "transfer", "spill"})->Unit(benchmark::kMillisecond);
    for (const std::int64_t transfer : {1'000'000, 10'000'000, 100'000'000}) bench->Args({10'000, transfer, 0});
    bench->Args({10'000, 10'000'000, 1})->Args({2'000, 10'000'000, 0})->Args({50'000, 10'000'000, 0});
}

BENCHMARK(slice_first)->Apply(sizes);
BENCHMARK(slice_evaluate)->Apply(sizes);
BENCHMARK(slice_improve)->Apply(sizes);

}  // namespace
}  // namespace sluice
