// Samples and repairs of the multi-chip job: a BERT-like graph of 2,221 operators, a mask for each layer, on 36 chips; what each assignment
// costs included. `taken_back`, `gave_up`: of one sample. Uniform samples in the general form are left out: nearly all would give up.
#include <benchmark/benchmark.h>

#include "sluice/mcm/policy/network.hpp"
#include "sluice/mcm/sample.hpp"
#include "tests/support/chips.hpp"

namespace sluice {
namespace {

void rates(benchmark::State& state, const mcm::SolverCounts& counts) {
    state.counters["samples/s"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
    state.counters["propagations/s"] = benchmark::Counter(static_cast<double>(counts.propagations), benchmark::Counter::kIsRate);
    state.counters["taken_back"] = benchmark::Counter(static_cast<double>(counts.backtracks), benchmark::Counter::kAvgIterations);
}

void mcm_sample(benchmark::State& state, mcm::WalkOrder kind) {
    const auto costs = test::bert_like(60, false);
    const auto problem = test::on_chips(costs, 36, {.adjacent = true});
    RandomStream random(1);
    const auto order = mcm::walk_order(costs, kind, random);
    const std::vector<float> probabilities(costs.node_count() * 36, 1.0F);
    mcm::ChipSolver solver(problem);
    for (auto _ : state) {
        const auto drawn = mcm::sample(solver, probabilities, order, random);
        benchmark::DoNotOptimize(mcm::bottleneck(problem, drawn->chips));
    }
    rates(state, solver.counts());
}
BENCHMARK_CAPTURE(mcm_sample, bisection, mcm::WalkOrder::bisection)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_sample, random, mcm::WalkOrder::random)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_sample, topological, mcm::WalkOrder::topological)->Unit(benchmark::kMillisecond);

/// Repair of a legal assignment of which 20 operators were moved to another chip.
void mcm_fix(benchmark::State& state, bool adjacent) {
    const auto costs = test::bert_like(60, false);
    const auto strict = test::on_chips(costs, 36, {.adjacent = true}), problem = test::on_chips(costs, 36, {.adjacent = adjacent});
    RandomStream random(1);
    const auto order = mcm::walk_order(costs, mcm::WalkOrder::bisection, random);
    mcm::ChipSolver sampler(strict), solver(problem);
    std::int64_t gave_up = 0;
    mcm::Assignment candidate;
    for (auto _ : state) {
        state.PauseTiming();
        candidate = mcm::sample(sampler, {}, order, random)->chips;
        for (int i = 0; i < 20; ++i) candidate[random.below(candidate.size())] = static_cast<std::uint8_t>(random.below(36));
        state.ResumeTiming();
        const auto fixed = mcm::fix(solver, candidate, order, mcm::OpenNodes::nearest, random, {.backtracks = 1'000});
        if (fixed)
            benchmark::DoNotOptimize(mcm::bottleneck(problem, fixed->chips));
        else
            ++gave_up;
    }
    rates(state, solver.counts());
    state.counters["gave_up"] = benchmark::Counter(static_cast<double>(gave_up), benchmark::Counter::kAvgIterations);
}
BENCHMARK_CAPTURE(mcm_fix, difference, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_fix, general, false)->Unit(benchmark::kMillisecond);

void mcm_bottleneck(benchmark::State& state) {
    const auto costs = test::bert_like(60, false);
    const auto problem = test::on_chips(costs, 36, {.adjacent = true});
    RandomStream random(1);
    mcm::ChipSolver solver(problem);
    const auto drawn = mcm::sample(solver, {}, mcm::walk_order(costs, mcm::WalkOrder::bisection, random), random);
    for (auto _ : state) benchmark::DoNotOptimize(mcm::bottleneck(problem, drawn->chips));
}
BENCHMARK(mcm_bottleneck)->Unit(benchmark::kMillisecond);

void mcm_policy_features(benchmark::State& state) {
    const auto costs = test::bert_like(60, false);
    const auto problem = test::on_chips(costs, 36);
    for (auto _ : state) benchmark::DoNotOptimize(mcm::policy::features_of(problem)->values.data());
}
BENCHMARK(mcm_policy_features)->Unit(benchmark::kMillisecond);

void mcm_policy_forward(benchmark::State& state, std::uint32_t layers, std::uint32_t width) {
    const auto costs = test::bert_like(60, false);
    const auto problem = test::on_chips(costs, 36);
    const auto features = mcm::policy::features_of(problem);
    const auto policy = mcm::policy::fresh_policy(
        {.head = mcm::policy::Head::ordinal, .layers = layers, .width = width, .passes = 1, .chips = 0, .spread = mcm::policy::kNarrow}, 1);
    for (auto _ : state) benchmark::DoNotOptimize(mcm::policy::probabilities(policy, *features).data());
}
BENCHMARK_CAPTURE(mcm_policy_forward, shipped_4x64, 4, 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_policy_forward, paper_8x128, 8, 128)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sluice
