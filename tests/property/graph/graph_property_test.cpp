// Graphs built from random operators: numbering, cycles, reachability, node sets, the graph file.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "sluice/base/json.hpp"
#include "sluice/base/random.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/graph/reachability.hpp"
#include "sluice/graph/serialise.hpp"

namespace sluice::graph {
namespace {

using Lists = std::vector<std::vector<std::size_t>>;

/// Operator v makes tensor v; reads[v] are the tensors it reads.
Result<Graph> build(const Lists& reads) {
    GraphBuilder builder("random");
    for (std::size_t v = 0; v < reads.size(); ++v) builder.add_tensor({});
    for (std::size_t v = 0; v < reads.size(); ++v) {
        std::vector<TensorId> inputs;
        for (std::size_t t : reads[v]) inputs.emplace_back(t);
        Operator op;
        op.source = static_cast<std::int64_t>(v);  // the insertion number
        builder.add_operator(op, inputs, std::vector{TensorId(v)});
    }
    return std::move(builder).build();
}

/// Edges along a hidden random order, so acyclic; insertion numbers are unrelated to it.
Lists random_dag(RandomStream& random, std::size_t n, double density) {
    std::vector<std::size_t> hidden(n);
    for (std::size_t i = 0; i < n; ++i) hidden[i] = i;
    random.shuffle(std::span(hidden));
    Lists reads(n);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i + 1; j < n; ++j)
            if (random.chance(density)) reads[hidden[j]].push_back(hidden[i]);
    return reads;
}

RC_GTEST_PROP(GraphBuilder, NumbersTopologicallySmallestReadyInsertionFirst, (std::uint64_t seed)) {
    RandomStream random(seed);
    const std::size_t n = 1 + random.below(30);
    const Lists reads = random_dag(random, n, random.unit());
    const Graph graph = build(reads).value();
    std::vector<char> placed(n, 0);
    for (std::size_t v = 0; v < n; ++v) {
        std::size_t expected = n;  // the smallest unplaced operator all of whose inputs are made
        for (std::size_t candidate = n; candidate-- > 0;)
            if (!placed[candidate] && std::ranges::all_of(reads[candidate], [&](std::size_t t) { return placed[t] != 0; }))
                expected = candidate;
        RC_ASSERT(graph[OperatorId(v)].source == static_cast<std::int64_t>(expected));
        placed[expected] = 1;
        std::set<std::size_t> before;
        for (OperatorId p : graph.predecessors(OperatorId(v))) {
            RC_ASSERT(p.index() < v);
            before.insert(static_cast<std::size_t>(graph[p].source));
        }
        RC_ASSERT(before == std::set<std::size_t>(reads[expected].begin(), reads[expected].end()));
    }
}

bool reaches(const Lists& successors, std::size_t from, std::size_t to) {  // along at least one edge
    std::vector<char> seen(successors.size(), 0);
    std::vector<std::size_t> stack(successors[from]);
    while (!stack.empty()) {
        const std::size_t v = stack.back();
        stack.pop_back();
        if (v == to) return true;
        if (seen[v]) continue;
        seen[v] = 1;
        stack.insert(stack.end(), successors[v].begin(), successors[v].end());
    }
    return false;
}

RC_GTEST_PROP(GraphBuilder, RefusesExactlyTheCyclic, (std::uint64_t seed)) {
    RandomStream random(seed);
    const std::size_t n = 1 + random.below(12);
    Lists reads(n), successors(n);
    for (std::uint64_t i = random.below(2 * n); i > 0; --i) {
        const std::size_t from = random.below(n), to = random.below(n);
        reads[to].push_back(from);
        successors[from].push_back(to);
    }
    bool cyclic = false;
    for (std::size_t v = 0; v < n; ++v) cyclic = cyclic || reaches(successors, v, v);
    const auto graph = build(reads);
    RC_ASSERT(graph.has_value() == !cyclic);
    if (cyclic) RC_ASSERT(!graph.error().notes.empty());
}

RC_GTEST_PROP(Reachability, EqualsDepthFirstSearch, (std::uint64_t seed)) {
    RandomStream random(seed);
    const std::size_t n = 1 + random.below(100);
    const Graph graph = build(random_dag(random, n, 3.0 * random.unit() / static_cast<double>(n))).value();
    Lists successors(n);
    Rows<OperatorId> down, up;
    for (std::size_t v = 0; v < n; ++v) {
        down.push_row(graph.successors(OperatorId(v)));
        up.push_row(graph.predecessors(OperatorId(v)));
        for (OperatorId s : graph.successors(OperatorId(v))) successors[v].push_back(s.index());
    }
    const auto below = descendants(down), above = ancestors(up);
    for (std::size_t u = 0; u < n; ++u)
        for (std::size_t v = 0; v < n; ++v) {
            const bool expected = reaches(successors, u, v);
            RC_ASSERT(below[u].contains(v) == expected);
            RC_ASSERT(above[v].contains(u) == expected);
        }
    NodeSet downset = above[n - 1];
    RC_ASSERT(is_downset(downset, up));
    downset.insert(n - 1);
    RC_ASSERT(is_downset(downset, up));
}

RC_GTEST_PROP(NodeSet, BehavesLikeASet, (std::uint64_t seed)) {
    RandomStream random(seed);
    const std::size_t universe = 1 + random.below(200);
    NodeSet a(universe), b(universe);
    std::set<std::size_t> sa, sb;
    for (std::uint64_t i = random.below(2 * universe); i > 0; --i) {
        const std::size_t x = random.below(universe), y = random.below(universe), z = random.below(universe);
        a.insert(x), sa.insert(x);
        b.insert(y), sb.insert(y);
        a.erase(z), sa.erase(z);
    }
    const auto same = [](const NodeSet& set, const std::set<std::size_t>& members) {
        std::vector<std::size_t> listed;
        set.for_each([&](std::size_t i) { listed.push_back(i); });
        return std::ranges::equal(listed, members) && set.count() == members.size() && set.empty() == members.empty();
    };
    std::set<std::size_t> both, either, only;
    std::ranges::set_intersection(sa, sb, std::inserter(both, both.end()));
    std::ranges::set_union(sa, sb, std::inserter(either, either.end()));
    std::ranges::set_difference(sa, sb, std::inserter(only, only.end()));
    NodeSet u = a, i = a, d = a;
    RC_ASSERT(same(u |= b, either));
    RC_ASSERT(same(i &= b, both));
    RC_ASSERT(same(d -= b, only));
    RC_ASSERT(a.intersects(b) == !both.empty());
    RC_ASSERT(a.contains(b) == (both == sb));
    RC_ASSERT((a == b) == (sa == sb));
}

template <typename Enum>
Enum random_enum(RandomStream& random, std::size_t count) {
    return static_cast<Enum>(random.below(count));
}

std::string random_name(RandomStream& random) {
    static constexpr const char* kPieces[] = {"a", "/", "\"", "\\", "é", "\n", "☃", ".", ":", " ", "\x7f", "0"};
    std::string name;
    for (std::uint64_t i = random.below(5); i > 0; --i) name += kPieces[random.below(std::size(kPieces))];
    return name;
}

Graph random_graph(RandomStream& random) {
    const std::size_t n = 1 + random.below(20);
    const Lists reads = random_dag(random, n, random.unit());
    GraphBuilder builder(random_name(random));
    const auto bytes = [&] { return Bytes{random.between(0, std::int64_t{1} << random.below(56))}; };
    const auto shape = [&] {
        std::vector<std::int64_t> extents;
        for (std::uint64_t i = random.below(4); i > 0; --i) extents.push_back(random.between(0, 1000));
        return extents;
    };
    std::vector<TensorId> tensors;
    for (std::size_t t = 0; t < 2 * n; ++t)
        tensors.push_back(builder.add_tensor({.name = random_name(random) + std::to_string(t),
                                              .type = random_enum<DataType>(random, kDataTypes),
                                              .shape = shape(),
                                              .shape_known = random.chance(0.5),
                                              .shape_assumed = random.chance(0.5),
                                              .bytes = bytes(),
                                              .model_output = random.chance(0.5)}));
    std::vector<ParameterId> parameters;
    for (std::size_t p = random.below(5); p > 0; --p)
        parameters.push_back(builder.add_parameter({.name = random.chance(0.5) ? "" : "w" + std::to_string(p),
                                                    .type = random_enum<DataType>(random, kDataTypes),
                                                    .shape = shape(),
                                                    .bytes = bytes()}));
    for (std::size_t v = 0; v < n; ++v) {
        Operator op;
        op.name = random_name(random);
        op.type = random_name(random);
        op.features = {.operator_class = random_enum<OperatorClass>(random, kOperatorClasses),
                       .compute_type = random_enum<DataType>(random, kDataTypes),
                       .flops = random.unit() * 1e15,
                       .rows = random.between(0, 99),
                       .read = bytes(),
                       .written = bytes(),
                       .parameters_read = bytes(),
                       .input_gradient_flops = random.chance(0.5) ? 0 : random.unit(),
                       .weight_gradient_flops = static_cast<double>(random.below(1000)),
                       .kept_for_backward = bytes()};
        op.replicated = random.chance(0.2);
        op.source = random.between(-1, 99);
        if (random.chance(0.3)) op.colour = static_cast<std::uint32_t>(random.below(3));
        std::vector<TensorId> inputs;
        for (std::size_t t : reads[v]) inputs.push_back(tensors[t]);
        std::vector<ParameterId> used;
        for (ParameterId p : parameters)
            if (random.chance(0.3)) used.push_back(p);
        if (random.chance(0.2)) inputs.push_back(tensors[n + v]);  // a model input
        builder.add_operator(op, inputs, std::vector{tensors[v]}, used);
    }
    if (random.chance(0.5)) {
        GivenCosts costs;
        for (std::uint64_t c = random.below(3); c > 0; --c) {
            auto& device = costs.classes.emplace_back();
            device.name = random_name(random) + std::to_string(c);
            device.count = random.between(0, 9);
            if (random.chance(0.5)) device.memory = bytes();
            for (std::size_t v = 0; v < n; ++v)
                device.time.push_back(random.chance(0.2) ? std::nullopt : std::optional(Duration{bytes().count}));
            if (random.chance(0.5)) device.backward.assign(n, Duration{bytes().count});
        }
        if (random.chance(0.5)) costs.transfer.assign(2 * n, Duration{random.between(0, 99)});
        if (random.chance(0.5)) costs.link = ByteRate{random.between(1, 99)};
        builder.set_given_costs(std::move(costs));
    }
    for (std::uint64_t i = random.below(3); i > 0; --i) builder.add_assumption(random_name(random));
    return std::move(builder).build().value();
}

RC_GTEST_PROP(GraphFile, RoundTripKeepsEverything, (std::uint64_t seed)) {
    RandomStream random(seed);
    const Graph graph = random_graph(random);
    const std::string text = to_json_text(graph);
    const Graph again = read_graph(json::parse(text, "").value()).value();
    RC_ASSERT(again.fingerprint() == graph.fingerprint());
    RC_ASSERT(again.name() == graph.name());
    RC_ASSERT(std::ranges::equal(again.operators(), graph.operators()));
    RC_ASSERT(std::ranges::equal(again.tensors(), graph.tensors()));
    RC_ASSERT(std::ranges::equal(again.parameters(), graph.parameters()));
    RC_ASSERT(std::ranges::equal(again.assumptions(), graph.assumptions()));
    RC_ASSERT(again.given_costs() == graph.given_costs());
    RC_ASSERT(to_json_text(again) == text);
}

}  // namespace
}  // namespace sluice::graph
