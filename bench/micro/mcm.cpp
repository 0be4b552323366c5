// Samples and repairs of the multi-chip job: a BERT-like graph of 2,221 operators, a mask for each layer, on 36 chips; what each assignment
// costs included. `taken_back`, `gave_up`: of one sample. Uniform samples in the general form are left out: nearly all would give up.
#include <benchmark/benchmark.h>

#include "sluice/mcm/judge/event_judge.hpp"
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
    const auto costs = testing::bert_like(60, false);
    const auto problem = testing::on_chips(costs, 36, {.adjacent = true});
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
    const auto costs = testing::bert_like(60, false);
    const auto strict = testing::on_chips(costs, 36, {.adjacent = true}), problem = testing::on_chips(costs, 36, {.adjacent = adjacent});
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
    const auto costs = testing::bert_like(60, false);
    const auto problem = testing::on_chips(costs, 36, {.adjacent = true});
    RandomStream random(1);
    mcm::ChipSolver solver(problem);
    const auto drawn = mcm::sample(solver, {}, mcm::walk_order(costs, mcm::WalkOrder::bisection, random), random);
    for (auto _ : state) benchmark::DoNotOptimize(mcm::bottleneck(problem, drawn->chips));
}
BENCHMARK(mcm_bottleneck)->Unit(benchmark::kMillisecond);

/// Equal work on every chip, the cuts moved by a few operators each time.
mcm::Assignment near_equal_work(const cost::StageProblem& costs, RandomStream& random) {
    std::vector<std::size_t> cuts(37);
    Duration total{0}, done{0};
    for (const Duration work : costs.classes.front().work) total += work;
    for (std::size_t v = 0, chip = 1; v < costs.node_count(); ++v) {
        done += costs.classes.front().work[v];
        while (chip < 36 && done.count() * 36 >= total.count() * static_cast<std::int64_t>(chip)) cuts[chip++] = v + 1;
    }
    mcm::Assignment chips(costs.node_count());
    for (std::size_t chip = 1; chip < 36; ++chip)
        for (std::size_t v = cuts[chip] + random.below(5) - 2; v < chips.size(); ++v) chips[v] = static_cast<std::uint8_t>(chip);
    return chips;
}

/// One verdict: what is new is compiled, the ring runs. `kept`: the same chips each time, so nothing is new.
void mcm_judge(benchmark::State& state, bool kept, cost::StageModel model) {
    const graph::Graph graph = testing::bert_like_graph(60, false);
    platform::Platform platform = platform::given_platform(graph);
    platform.topology = platform::Topology::ring;
    platform.model = model;
    const auto costs = cost::freeze(graph, platform)->problem;
    const auto problem = mcm::chip_problem(graph, costs, platform, {.adjacent = true});
    const auto judge = mcm::event_judge(graph, *problem, platform);
    RandomStream random(1);
    mcm::Assignment chips = near_equal_work(costs, random);
    std::int64_t events = 0;
    double slower = 0;
    for (auto _ : state) {
        if (!kept) {
            state.PauseTiming();
            chips = near_equal_work(costs, random);
            state.ResumeTiming();
        }
        const auto verdict = (*judge)->judge(chips);
        slower = static_cast<double>(verdict->period.count()) / static_cast<double>(mcm::bottleneck(*problem, chips).count());
    }
    events = (*judge)->detail(chips)->events;
    state.counters["events"] = static_cast<double>(events);
    state.counters["slower"] = slower;
}
BENCHMARK_CAPTURE(mcm_judge, known_chips, true, cost::StageModel::overlap)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_judge, new_chips, false, cost::StageModel::overlap)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mcm_judge, serial, false, cost::StageModel::serial)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sluice
