// Order evaluation: IncrementalStage along a whole order of 10,000 operators, cut into stages; and the reference form beside it.
#include "sluice/cost/stage_cost.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>

#include "sluice/cost/partition.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

cost::StageProblem problem_of(std::size_t operators, bool spill) {
    RandomStream random(11, 5);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = operators;
    options.largest_time = options.largest_transfer = 10'000'000;
    options.largest_bytes = 1'000'000;
    options.shared_weights = 1;
    options.spill = spill ? 1 : 0;
    return test::random_problem(random, options, 64);
}

/// What scoring one order costs: each node added once, the stage cleared at 64 borders.
void order_evaluation(benchmark::State& state) {
    const auto operators = static_cast<std::size_t>(state.range(0));
    const cost::StageProblem problem = problem_of(operators, state.range(1) != 0);
    RandomStream random(1);
    const std::vector<NodeId> order = test::random_order(problem, random);
    const std::size_t length = (order.size() + 63) / 64;
    cost::IncrementalStage stage(problem, ClassId(0));
    for (auto _ : state) {
        Duration bottleneck{0};
        for (std::size_t i = 0; i < order.size(); ++i) {
            stage.add(order[i]);
            if ((i + 1) % length != 0 && i + 1 != order.size()) continue;
            bottleneck = std::max(bottleneck, stage.time());
            stage.clear();
        }
        benchmark::DoNotOptimize(bottleneck);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(order.size()));
}
BENCHMARK(order_evaluation)->ArgNames({"n", "spill"})->Unit(benchmark::kMicrosecond)->Args({10'000, 0})->Args({10'000, 1});

void price_reference(benchmark::State& state) {
    const cost::StageProblem problem = problem_of(static_cast<std::size_t>(state.range(0)), false);
    RandomStream random(1);
    const cost::Partition partition = test::random_partition(problem, 64, random);
    for (auto _ : state) benchmark::DoNotOptimize(cost::price(problem, partition).bottleneck);
}
BENCHMARK(price_reference)->ArgNames({"n"})->Unit(benchmark::kMicrosecond)->Arg(10'000);

void freezing(benchmark::State& state) {
    RandomStream random(11, 5);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = static_cast<std::size_t>(state.range(0));
    const graph::Graph graph = test::random_graph(random, options);
    const platform::Platform platform = test::random_platform(graph, random, options);
    for (auto _ : state) benchmark::DoNotOptimize(cost::freeze(graph, platform)->problem.node_count());
}
BENCHMARK(freezing)->ArgNames({"n"})->Unit(benchmark::kMillisecond)->Arg(10'000);

}  // namespace
}  // namespace sluice
