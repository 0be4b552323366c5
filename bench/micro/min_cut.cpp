// Exact minimum cut: one large solve, and the anchored bound's pattern, where one network is solved once per operator.
#include <benchmark/benchmark.h>

#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/graph/min_cut.hpp"

namespace {

using sluice::RandomStream;
using sluice::graph::FlowNetwork;
using sluice::graph::kInfiniteCapacity;
using Vertex = FlowNetwork::Vertex;

/// Layers of `width` vertices, three arcs from each into the next layer, one in ten skipping a layer; terminals 0 and 1.
FlowNetwork layered(std::size_t vertices, std::size_t width) {
    RandomStream random(1);
    FlowNetwork net(vertices);
    const std::size_t layers = (vertices - 2) / width;
    const auto at = [&](std::size_t layer, std::size_t i) { return static_cast<Vertex>(2 + layer * width + i); };
    for (std::size_t i = 0; i < width; ++i) {
        net.add_arc(0, at(0, i), kInfiniteCapacity);
        net.add_arc(at(layers - 1, i), 1, kInfiniteCapacity);
    }
    for (std::size_t layer = 0; layer + 1 < layers; ++layer)
        for (std::size_t i = 0; i < width; ++i)
            for (int k = 0; k < 3; ++k) {
                const std::size_t next = std::min(layers - 1, layer + (random.chance(0.1) ? 2 : 1));
                net.add_arc(at(layer, i), at(next, random.below(width)), random.between(1, 1'000'000));
            }
    return net;
}

void layered_cut(benchmark::State& state) {
    FlowNetwork net = layered(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
    std::int64_t value = 0;
    for (auto _ : state) benchmark::DoNotOptimize(value = net.maximum_flow(0, 1));
    state.counters["arcs"] = static_cast<double>(net.arc_count());
    state.counters["value"] = static_cast<double>(value);
}
// Twenty wide layers, then ever more layers of 50: depth is what makes Dinic's algorithm work.
BENCHMARK(layered_cut)
    ->Args({1'000, 50})
    ->Args({10'000, 500})
    ->Args({50'000, 2'500})
    ->Args({10'000, 50})
    ->Args({50'000, 50})
    ->Unit(benchmark::kMillisecond);

/// The network of the anchored bound (inference, serial cost): an operator pays its work to the sink; a tensor that crosses the border of
/// the set pays once on the way in and once on the way out. A chain of blocks of four operators with a residual.
struct Anchored {
    FlowNetwork net;
    Vertex sink = 0;
    std::size_t operators = 0;
};

Anchored anchored_network(std::size_t operators, std::int64_t largest_transfer) {
    RandomStream random(2);
    Anchored result{FlowNetwork(operators + 1), static_cast<Vertex>(operators), operators};
    for (std::size_t v = 0; v < operators; ++v) {
        result.net.add_arc(static_cast<Vertex>(v), result.sink, random.between(1, 1'000'000));
        std::vector<std::size_t> readers;
        for (std::size_t next : {v + 1, v % 4 == 0 ? v + 4 : v + 1})
            if (next < operators && (readers.empty() || readers.back() != next)) readers.push_back(next);
        if (readers.empty()) continue;
        const std::int64_t transfer = random.between(1, largest_transfer);
        const Vertex in = result.net.add_vertex(), out = result.net.add_vertex();
        result.net.add_arc(in, static_cast<Vertex>(v), transfer);
        result.net.add_arc(static_cast<Vertex>(v), out, transfer);
        for (std::size_t reader : readers) {
            result.net.add_arc(static_cast<Vertex>(reader), in, kInfiniteCapacity);
            result.net.add_arc(out, static_cast<Vertex>(reader), kInfiniteCapacity);
        }
    }
    return result;
}

/// One iteration solves for every operator as anchor. The second argument is the largest transfer: large ones make large cuts.
void anchored_cuts(benchmark::State& state) {
    Anchored problem = anchored_network(static_cast<std::size_t>(state.range(0)), state.range(1));
    std::size_t side = 0;
    for (auto _ : state) {
        side = 0;
        for (std::size_t v = 0; v < problem.operators; ++v) {
            benchmark::DoNotOptimize(problem.net.maximum_flow(static_cast<Vertex>(v), problem.sink));
            for (std::size_t u = v < 200 ? 0 : v - 200; u < std::min(problem.operators, v + 200); ++u)
                side += problem.net.source_side()[u] != 0;
        }
    }
    state.counters["vertices"] = static_cast<double>(problem.net.vertex_count());
    state.counters["arcs"] = static_cast<double>(problem.net.arc_count());
    state.counters["side"] = static_cast<double>(side) / static_cast<double>(problem.operators);
}
BENCHMARK(anchored_cuts)->ArgsProduct({{1'000, 10'000}, {1'000'000, 20'000'000}})->Unit(benchmark::kMillisecond);

}  // namespace
