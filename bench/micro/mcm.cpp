// Samples of the multi-chip job: a BERT-like graph of about 2,000 operators, a mask operator for each layer, on 36 chips, what each
// assignment costs included; 12 layers in the general form too.
#include <benchmark/benchmark.h>

#include "sluice/mcm/sample.hpp"
#include "tests/support/chips.hpp"

namespace sluice {
namespace {

void rates(benchmark::State& state, const mcm::SolverCounts& counts) {
    state.counters["samples/s"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
    state.counters["propagations/s"] = benchmark::Counter(static_cast<double>(counts.propagations), benchmark::Counter::kIsRate);
    state.counters["taken_back"] = benchmark::Counter(static_cast<double>(counts.backtracks), benchmark::Counter::kAvgIterations);
}

void mcm_sample(benchmark::State& state, mcm::WalkOrder kind, bool adjacent, std::size_t layers) {
    const auto costs = testing::bert_like(layers, false);
    const auto problem = testing::on_chips(costs, 36, {.adjacent = adjacent});
    RandomStream random(1);
    const auto order = mcm::walk_order(costs, kind, random);
    const std::vector<float> probabilities(costs.node_count() * 36, 1.0F);
    mcm::ChipSolver solver(problem);
    std::int64_t gave_up = 0;
    for (auto _ : state) {
        const auto drawn = mcm::sample(solver, probabilities, order, random, {.backtracks = 1'000});
        if (drawn)
            benchmark::DoNotOptimize(mcm::bottleneck(problem, drawn->chips));
        else
            ++gave_up;
    }
    rates(state, solver.counts());
    state.counters["gave_up"] = benchmark::Counter(static_cast<double>(gave_up), benchmark::Counter::kAvgIterations);
}
BENCHMARK_CAPTURE(mcm_sample, bisection, mcm::WalkOrder::bisection, true, 60)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_sample, random, mcm::WalkOrder::random, true, 60)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_sample, topological, mcm::WalkOrder::topological, true, 60)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_sample, general_topological, mcm::WalkOrder::topological, false, 12)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_sample, general_bisection, mcm::WalkOrder::bisection, false, 12)->Unit(benchmark::kMillisecond);

void mcm_bottleneck(benchmark::State& state) {
    const auto costs = testing::bert_like(60, false);
    const auto problem = testing::on_chips(costs, 36, {.adjacent = true});
    RandomStream random(1);
    mcm::ChipSolver solver(problem);
    const auto drawn = mcm::sample(solver, {}, mcm::walk_order(costs, mcm::WalkOrder::bisection, random), random);
    for (auto _ : state) benchmark::DoNotOptimize(mcm::bottleneck(problem, drawn->chips));
}
BENCHMARK(mcm_bottleneck)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sluice
