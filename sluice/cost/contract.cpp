#include "sluice/cost/contract.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <functional>
#include <numeric>
#include <queue>
#include <span>
#include <unordered_map>

namespace sluice::cost {

namespace {

constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);
using Adjacency = std::vector<std::vector<std::uint32_t>>;

/// Strongly connected components (Tarjan 1972) without recursion: graphs are deep. Per vertex, the number of its component.
std::vector<std::uint32_t> components_of(const Adjacency& successors) {
    const std::size_t n = successors.size();
    std::vector<std::uint32_t> number(n, kNone), low(n), component(n, kNone), stack;
    struct Call {
        std::uint32_t vertex;
        std::size_t next;
    };
    std::vector<Call> calls;
    std::uint32_t numbers = 0, components = 0;
    for (std::uint32_t root = 0; root < n; ++root) {
        if (number[root] != kNone) continue;
        calls.push_back({root, 0});
        while (!calls.empty()) {
            const std::uint32_t v = calls.back().vertex;
            if (calls.back().next == 0) {
                number[v] = low[v] = numbers++;
                stack.push_back(v);
            }
            if (calls.back().next < successors[v].size()) {
                const std::uint32_t to = successors[v][calls.back().next++];
                if (number[to] == kNone)
                    calls.push_back({to, 0});
                else if (component[to] == kNone)
                    low[v] = std::min(low[v], number[to]);
                continue;
            }
            if (low[v] == number[v]) {
                std::uint32_t member = kNone;
                do {
                    member = stack.back();
                    stack.pop_back();
                    component[member] = components;
                } while (member != v);
                ++components;
            }
            calls.pop_back();
            if (!calls.empty()) low[calls.back().vertex] = std::min(low[calls.back().vertex], low[v]);
        }
    }
    return component;
}

/// The graph with each group as one vertex; edges inside a group are left out.
Adjacency quotient(const graph::Graph& graph, std::span<const std::uint32_t> group_of, std::size_t groups) {
    Adjacency successors(groups);
    for (std::size_t o = 0; o < graph.operator_count(); ++o) {
        if (group_of[o] == kNone) continue;
        for (OperatorId next : graph.successors(OperatorId(o)))
            if (group_of[next.index()] != kNone && group_of[next.index()] != group_of[o])
                successors[group_of[o]].push_back(group_of[next.index()]);
    }
    for (auto& row : successors) {
        std::ranges::sort(row);
        row.erase(std::ranges::unique(row).begin(), row.end());
    }
    return successors;
}

}  // namespace

Contraction contract(const graph::Graph& graph, std::span<const std::vector<OperatorId>> joined) {
    const std::size_t n = graph.operator_count();
    // Colours and groups may overlap: sets are joined by their smallest operators.
    std::vector<std::uint32_t> smallest(n);
    std::iota(smallest.begin(), smallest.end(), 0U);
    const auto find = [&](std::uint32_t o) {
        while (smallest[o] != o) o = smallest[o] = smallest[smallest[o]];
        return o;
    };
    const auto join = [&](std::size_t a, std::size_t b) {
        const auto [low, high] = std::minmax({find(static_cast<std::uint32_t>(a)), find(static_cast<std::uint32_t>(b))});
        smallest[high] = low;
    };
    std::unordered_map<std::uint32_t, std::size_t> first_of_colour;
    for (std::size_t o = 0; o < n; ++o)
        if (const graph::Operator& op = graph[OperatorId(o)]; op.colour && !op.replicated)
            join(first_of_colour.try_emplace(*op.colour, o).first->second, o);
    for (const auto& group : joined)
        for (OperatorId id : group) {
            assert(!graph[id].replicated);
            join(group.front().index(), id.index());
        }

    std::vector<std::uint32_t> group_of(n, kNone);
    std::uint32_t groups = 0;
    for (std::size_t o = 0; o < n; ++o) {
        if (graph[OperatorId(o)].replicated) continue;
        const std::uint32_t root = find(static_cast<std::uint32_t>(o));
        group_of[o] = root == o ? groups++ : group_of[root];
    }

    // Components get numbers in the order of their first operator.
    const auto component_of_group = components_of(quotient(graph, group_of, groups));
    std::vector<std::uint32_t> number(groups, kNone);
    std::uint32_t components = 0;
    for (auto& group : group_of) {
        if (group == kNone) continue;
        auto& component = number[component_of_group[group]];
        if (component == kNone) component = components++;
        group = component;
    }

    const Adjacency successors = quotient(graph, group_of, components);
    std::vector<std::uint32_t> waiting(components);
    for (const auto& row : successors)
        for (std::uint32_t to : row) ++waiting[to];
    std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> ready;
    for (std::uint32_t c = 0; c < components; ++c)
        if (waiting[c] == 0) ready.push(c);
    std::vector<NodeId> node_of_component(components);
    std::size_t nodes = 0;
    while (!ready.empty()) {
        const std::uint32_t c = ready.top();
        ready.pop();
        node_of_component[c] = NodeId(nodes++);
        for (std::uint32_t to : successors[c])
            if (--waiting[to] == 0) ready.push(to);
    }

    Contraction contraction;
    contraction.node_of.resize(n);
    std::vector<std::vector<OperatorId>> operators(nodes);
    for (std::size_t o = 0; o < n; ++o) {
        if (group_of[o] == kNone) continue;
        contraction.node_of[o] = node_of_component[group_of[o]];
        operators[contraction.node_of[o].index()].push_back(OperatorId(o));
    }
    contraction.operators = Rows<OperatorId>(operators);
    return contraction;
}

}  // namespace sluice::cost
