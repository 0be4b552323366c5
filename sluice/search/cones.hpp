// Work of cones and the heavy-cone-first post-order (notes/bounds 2.2), over any numbered DAG: nodes of a StageProblem or groups of a
// SerialProblem. Deterministic.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/csr.hpp"

namespace sluice::search {

template <typename Id>
[[nodiscard]] constexpr std::size_t index_of(Id id) {
    if constexpr (requires { id.index(); })
        return id.index();
    else
        return static_cast<std::size_t>(id);
}

/// The work of everything a node stands on, itself included: its ancestors when `before` holds predecessors (`up`), its descendants when it
/// holds successors. Numbers are a topological order. Exact, by words of 64 nodes at a time: O(n m / 64 + n^2 / 8) time, O(n) memory.
template <typename Id>
[[nodiscard]] std::vector<std::int64_t> cone_work(const Rows<Id>& before, std::span<const std::int64_t> work, bool up) {
    const std::size_t n = work.size();
    std::vector<std::int64_t> cone(n, 0);
    std::vector<std::uint64_t> reached(n);              // of the 64 nodes of a block: those in the cone
    std::array<std::array<std::int64_t, 256>, 8> sums;  // work of every subset of 8 nodes, so that 64 are added by 8 look-ups
    for (std::size_t block = 0; block < n; block += 64) {
        for (std::size_t byte = 0; byte < 8; ++byte) {
            sums[byte][0] = 0;
            for (std::size_t set = 1; set < 256; ++set) {
                const std::size_t v = block + 8 * byte + static_cast<std::size_t>(std::countr_zero(set));
                sums[byte][set] = sums[byte][set & (set - 1)] + (v < n ? work[v] : 0);
            }
        }
        // Cones of the nodes on the far side of the block do not reach it.
        const std::size_t end = std::min(block + 64, n);
        const auto visit = [&](std::size_t v) {
            std::uint64_t word = v >= block && v < end ? std::uint64_t{1} << (v - block) : 0;
            for (Id u : before[v])
                if (up ? index_of(u) >= block : index_of(u) < end) word |= reached[index_of(u)];
            reached[v] = word;
            for (std::size_t byte = 0; word != 0 && byte < 8; ++byte) cone[v] += sums[byte][(word >> (8 * byte)) & 255];
        };
        if (up)
            for (std::size_t v = block; v < n; ++v) visit(v);
        else
            for (std::size_t v = end; v-- > 0;) visit(v);
    }
    return cone;
}

/// Post-order from the nodes with an empty `after` row along `before`, the heaviest of `weight` first; reversed when not `up`, so that it
/// is a topological order either way. O(n + m log m).
template <typename Id>
[[nodiscard]] std::vector<Id> heavy_first_post_order(const Rows<Id>& before, const Rows<Id>& after, std::span<const std::int64_t> weight,
                                                     bool up) {
    const std::size_t n = weight.size();
    const auto heavier = [&](Id a, Id b) {
        return weight[index_of(a)] != weight[index_of(b)] ? weight[index_of(a)] > weight[index_of(b)] : a < b;
    };
    // Light roots first: a stray sink is served right after its own small cone instead of keeping it alive to the end.
    std::vector<Id> roots;
    for (std::size_t v = 0; v < n; ++v)
        if (after[v].empty()) roots.push_back(Id(v));
    std::ranges::sort(roots, [&](Id a, Id b) { return heavier(b, a); });

    std::vector<Id> sorted;  // the neighbours of every node on the path, heaviest first
    struct Frame {
        Id node;
        std::size_t begin, next;
    };
    std::vector<Frame> path;
    std::vector<char> seen(n);
    const auto enter = [&](Id node) {
        seen[index_of(node)] = 1;
        const std::size_t begin = sorted.size();
        for (Id u : before[index_of(node)])
            if (!seen[index_of(u)]) sorted.push_back(u);
        std::sort(sorted.begin() + static_cast<std::ptrdiff_t>(begin), sorted.end(), heavier);
        path.push_back({node, begin, begin});
    };
    std::vector<Id> order;
    order.reserve(n);
    for (Id root : roots) {
        enter(root);
        while (!path.empty()) {
            // The neighbours of the last node on the path are the last in `sorted`.
            Frame& top = path.back();
            while (top.next < sorted.size() && seen[index_of(sorted[top.next])]) ++top.next;
            if (top.next < sorted.size()) {
                enter(sorted[top.next++]);
                continue;
            }
            order.push_back(top.node);
            sorted.resize(top.begin);
            path.pop_back();
        }
    }
    if (!up) std::ranges::reverse(order);
    return order;
}

}  // namespace sluice::search
