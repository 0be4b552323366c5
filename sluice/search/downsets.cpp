#include "sluice/search/downsets.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "sluice/graph/reachability.hpp"

namespace sluice::search {

namespace {

struct HashOfSet {
    std::size_t operator()(const graph::NodeSet& set) const { return set.hash(); }
};

}  // namespace

std::optional<std::vector<graph::NodeSet>> downsets_of(const Rows<NodeId>& predecessors, std::size_t most, const graph::NodeSet& free) {
    const std::size_t n = predecessors.size();
    const auto ancestors = graph::ancestors(predecessors);
    std::unordered_set<graph::NodeSet, HashOfSet> level, next;
    std::vector<graph::NodeSet> downsets;
    level.emplace(n);
    for (std::size_t size = 0, sizes = free.count(); size < sizes; ++size) {
        next.clear();
        for (const graph::NodeSet& set : level)
            for (std::size_t v = 0; v < n; ++v) {
                const auto there = [&](NodeId u) { return !free.contains(u.index()) || set.contains(u.index()); };
                if (!free.contains(v) || set.contains(v) || !std::ranges::all_of(predecessors[v], there)) continue;
                graph::NodeSet larger = set;
                larger |= ancestors[v];
                larger.insert(v);
                next.insert(std::move(larger));
                if (downsets.size() + next.size() > most) return std::nullopt;
            }
        std::swap(level, next);
        // An order of its own: that of a hash set is not the same everywhere.
        std::vector<std::pair<std::vector<std::size_t>, const graph::NodeSet*>> sorted;
        for (const graph::NodeSet& set : level) {
            auto& [members, pointer] = sorted.emplace_back(std::vector<std::size_t>{}, &set);
            set.for_each([&](std::size_t v) { members.push_back(v); });
        }
        std::ranges::sort(sorted);
        for (const auto& entry : sorted) downsets.push_back(*entry.second);
    }
    if (downsets.empty() || downsets.back().count() < n) {
        downsets.emplace_back(n);
        for (std::size_t v = 0; v < n; ++v) downsets.back().insert(v);
    }
    if (downsets.size() > most) return std::nullopt;
    return downsets;
}

}  // namespace sluice::search
