#include "sluice/mcm/search/keys.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "sluice/mcm/search/cuts.hpp"
#include "sluice/mcm/search/order_dp.hpp"

namespace sluice::mcm {

std::vector<NodeId> order_by_keys(const cost::StageProblem& costs, std::span<const float> keys) {
    std::vector<std::uint32_t> waiting(keys.size());
    std::vector<std::pair<float, std::uint32_t>> ready;
    std::vector<NodeId> order;
    order.reserve(keys.size());
    const auto push = [&](std::size_t v) {
        ready.emplace_back(keys[v], static_cast<std::uint32_t>(v));
        std::ranges::push_heap(ready, std::greater{});
    };
    for (std::size_t v = 0; v < keys.size(); ++v) {
        waiting[v] = static_cast<std::uint32_t>(costs.predecessors[v].size());
        if (waiting[v] == 0) push(v);
    }
    while (!ready.empty()) {
        std::ranges::pop_heap(ready, std::greater{});
        const NodeId node(ready.back().second);
        ready.pop_back();
        order.push_back(node);
        for (const NodeId next : costs.successors[node.index()])
            if (--waiting[next.index()] == 0) push(next.index());
    }
    return order;
}

Keys keys_of(std::span<const NodeId> order) {
    Keys keys(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) keys[order[i].index()] = static_cast<float>(i) / static_cast<float>(order.size());
    return keys;
}

std::vector<NodeId> order_of(std::span<const std::uint8_t> chips) {
    std::vector<NodeId> order;
    for (std::size_t v = 0; v < chips.size(); ++v) order.emplace_back(v);
    std::ranges::stable_sort(order, {}, [&](NodeId node) { return chips[node.index()]; });
    return order;
}

LevelKeys::LevelKeys(const cost::StageProblem& costs) : earliest_(costs.node_count(), 0), latest_(costs.node_count(), 0) {
    const std::size_t nodes = costs.node_count();
    for (std::size_t v = 0; v < nodes; ++v) {
        for (const NodeId u : costs.predecessors[v]) earliest_[v] = std::max(earliest_[v], earliest_[u.index()] + 1);
        levels_ = std::max(levels_, earliest_[v] + 1);
    }
    for (std::size_t v = nodes; v-- > 0;) {
        latest_[v] = levels_ - 1;
        for (const NodeId w : costs.successors[v]) latest_[v] = std::min(latest_[v], latest_[w.index()] - 1);
    }
}

Keys LevelKeys::draw(RandomStream& random) const {
    Keys keys(earliest_.size());
    for (std::size_t v = 0; v < keys.size(); ++v)
        keys[v] = static_cast<float>((earliest_[v] + random.unit() * (latest_[v] + 1.0 - earliest_[v])) / levels_);
    return keys;
}

std::optional<Assignment> Decoder::slice(std::span<const NodeId> order, const Limits& limits) const {
    return lessons_.slice_within(problem_, order, {.limits = &limits});
}

Result<Assignment> Decoder::repair(std::span<const NodeId> order, RandomStream& random, const Limits& limits) {
    if (auto sliced = lessons_.slice(problem_, order, {.limits = &limits})) return *std::move(sliced);
    return repair_.fix(cut_evenly(problem_, order, Share::work), bisection_order(*problem_.costs), random);
}

Result<Assignment> Decoder::decode(std::span<const NodeId> order, RandomStream& random, const Limits& limits) {
    return repair(order, random, limits);  // which slices first
}

void Decoder::learn(const Verdict& verdict, std::span<const std::uint8_t> chips) {
    repair_.learn(verdict);
    if (verdict.failure) lessons_.learn(*verdict.failure, order_of(chips), chips);
}

}  // namespace sluice::mcm
