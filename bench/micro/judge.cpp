// Verdicts of the event judge: a BERT-like graph of 2,221 operators, a mask for each layer, on 36 chips, cut near equal work.
// `events`: of the ring's simulation; `slower`: the period over the planners' bottleneck.
#include <benchmark/benchmark.h>

#include "sluice/mcm/judge/event_judge.hpp"
#include "tests/support/chips.hpp"

namespace sluice {
namespace {

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
    const graph::Graph graph = test::bert_like_graph(60, false);
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
