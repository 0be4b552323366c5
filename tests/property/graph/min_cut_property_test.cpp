// The flow network against a cut over all subsets, on random small networks that are solved again and again.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/graph/min_cut.hpp"

namespace sluice::graph {
namespace {

using Vertex = FlowNetwork::Vertex;

struct Cut {
    std::int64_t value = 0;
    std::uint32_t smallest = 0;  // the source side inside every other minimum one
};

Cut brute_force_cut(const FlowNetwork& net, Vertex source, Vertex sink) {
    Cut best{.value = std::numeric_limits<std::int64_t>::max(), .smallest = 0};
    for (std::uint32_t side = 0; side < 1u << net.vertex_count(); ++side) {
        if (!(side >> source & 1) || (side >> sink & 1)) continue;
        std::int64_t value = 0;
        for (FlowNetwork::Arc arc = 0; arc < net.arc_count(); ++arc)
            if ((side >> net.from(arc) & 1) && !(side >> net.to(arc) & 1)) value = std::min(value + net.capacity(arc), kInfiniteCapacity);
        if (value < best.value)
            best = {value, side};
        else if (value == best.value)
            best.smallest &= side;
    }
    return best;
}

/// Net flow out of every vertex; fails on a flow outside its arc's capacity.
std::vector<std::int64_t> divergence(const FlowNetwork& net) {
    std::vector<std::int64_t> out(net.vertex_count(), 0);
    for (FlowNetwork::Arc arc = 0; arc < net.arc_count(); ++arc) {
        RC_ASSERT(net.flow(arc) >= 0);
        RC_ASSERT(net.flow(arc) <= net.capacity(arc));
        out[net.from(arc)] += net.flow(arc);
        out[net.to(arc)] -= net.flow(arc);
    }
    return out;
}

void check_against_brute_force(FlowNetwork& net, Vertex source, Vertex sink) {
    const Cut cut = brute_force_cut(net, source, sink);
    const std::int64_t value = net.maximum_flow(source, sink);
    if (cut.value >= kInfiniteCapacity) {
        RC_ASSERT(value >= kInfiniteCapacity);
        return;
    }
    RC_ASSERT(value == cut.value);
    const auto out = divergence(net);
    for (Vertex v = 0; v < net.vertex_count(); ++v) RC_ASSERT(out[v] == (v == source ? value : v == sink ? -value : 0));
    const auto side = net.source_side();
    for (Vertex v = 0; v < net.vertex_count(); ++v) RC_ASSERT((side[v] != 0) == ((cut.smallest >> v & 1) != 0));
}

std::int64_t random_capacity(RandomStream& random) {
    switch (random.below(6)) {
        case 0:
            return 0;
        case 1:
            return kInfiniteCapacity;
        case 2:
            return random.between(1, std::int64_t{1} << 50);
        default:
            return random.between(1, 9);
    }
}

void solve_a_changing_network(RandomStream& random) {
    const std::size_t n = 2 + random.below(8);
    FlowNetwork net(n);
    const std::size_t arcs = random.below(4 * n);
    for (std::size_t i = 0; i < arcs; ++i)
        net.add_arc(static_cast<Vertex>(random.below(n)), static_cast<Vertex>(random.below(n)), random_capacity(random));
    for (int round = 0; round < 8; ++round) {
        const auto source = static_cast<Vertex>(random.below(n));
        const auto sink = static_cast<Vertex>((source + 1 + random.below(n - 1)) % n);
        check_against_brute_force(net, source, sink);
        for (std::uint64_t i = 0; arcs > 0 && i < random.below(4); ++i)
            net.set_capacity(static_cast<FlowNetwork::Arc>(random.below(arcs)), random_capacity(random));
        if (random.chance(0.2))
            net.add_arc(static_cast<Vertex>(random.below(n)), static_cast<Vertex>(random.below(n)), random_capacity(random));
        if (random.chance(0.2)) (void)net.maximum_flow(sink, source, 3);  // stopped early in between
    }
}

RC_GTEST_PROP(MinCut, EqualsBruteForceUnderChanges, (std::uint64_t seed)) {
    for (std::uint64_t stream = 0; stream < 20; ++stream) {
        RandomStream random(seed, stream);
        solve_a_changing_network(random);
    }
}

RC_GTEST_PROP(MinCut, StopsAtEnoughWithAFlowThatIsFeasible, (std::uint64_t seed)) {
    RandomStream random(seed);
    const std::size_t n = 2 + random.below(8);
    FlowNetwork net(n);
    for (std::uint64_t i = random.below(4 * n); i > 0; --i)
        net.add_arc(static_cast<Vertex>(random.below(n)), static_cast<Vertex>(random.below(n)), random.between(0, 9));
    const std::int64_t maximum = brute_force_cut(net, 0, 1).value, enough = random.between(0, 20);
    const std::int64_t value = net.maximum_flow(0, 1, enough);
    RC_ASSERT(value >= std::min(maximum, enough));
    RC_ASSERT(value <= maximum);
    const auto out = divergence(net);
    for (Vertex v = 0; v < n; ++v) RC_ASSERT(out[v] == (v == 0 ? value : v == 1 ? -value : 0));
}

// Too large for subsets: a feasible flow and a cut of one value prove each other.
RC_GTEST_PROP(MinCut, FlowAndCutProveEachOtherOnLargerNetworks, (std::uint64_t seed)) {
    RandomStream random(seed);
    const std::size_t n = 50 + random.below(500);
    FlowNetwork net(n);
    for (std::size_t i = 0; i < 5 * n; ++i) {
        const std::uint64_t from = random.below(n);  // mostly to a near vertex, so that paths are long
        const std::uint64_t to = random.chance(0.05) ? random.below(n) : (from + 1 + random.below(8)) % n;
        net.add_arc(static_cast<Vertex>(from), static_cast<Vertex>(to), random.between(0, 1'000'000'000));
    }
    for (int round = 0; round < 4; ++round) {
        const auto source = static_cast<Vertex>(random.below(n));
        const auto sink = static_cast<Vertex>((source + 1 + random.below(n - 1)) % n);
        const std::int64_t value = net.maximum_flow(source, sink);
        const auto out = divergence(net);
        for (Vertex v = 0; v < n; ++v) RC_ASSERT(out[v] == (v == source ? value : v == sink ? -value : 0));
        const auto side = net.source_side();
        RC_ASSERT(side[source] != 0);
        RC_ASSERT(side[sink] == 0);
        std::int64_t cut = 0;
        for (FlowNetwork::Arc arc = 0; arc < net.arc_count(); ++arc)
            if (side[net.from(arc)] != 0 && side[net.to(arc)] == 0) cut += net.capacity(arc);
        RC_ASSERT(cut == value);
    }
}

}  // namespace
}  // namespace sluice::graph
