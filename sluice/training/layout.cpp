#include "sluice/training/layout.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

namespace sluice::training {

namespace {

/// Parts of one slice beyond this many are joined: each costs a pass of its own per micro-batch.
constexpr std::size_t kMostParts = 8;
/// What carries less than this share of a slice's work is no stage of its own.
constexpr std::int64_t kSmallest = 50;

/// Depth first: what has become ready last goes next, so a branch is followed to its end.
std::vector<NodeId> depth_first(const Rows<NodeId>& before, const Rows<NodeId>& after) {
    std::vector<std::uint32_t> waiting(before.size());
    std::vector<NodeId> stack, order;
    for (std::size_t v = before.size(); v-- > 0;) {
        waiting[v] = static_cast<std::uint32_t>(before[v].size());
        if (waiting[v] == 0) stack.emplace_back(v);
    }
    order.reserve(before.size());
    while (!stack.empty()) {
        const NodeId node = stack.back();
        stack.pop_back();
        order.push_back(node);
        const auto next = after[node.index()];
        for (std::size_t i = next.size(); i-- > 0;)
            if (--waiting[next[i].index()] == 0) stack.push_back(next[i]);
    }
    return order;
}

class Joined {
public:
    explicit Joined(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0U); }
    std::uint32_t find(std::uint32_t v) {
        while (parent_[v] != v) v = parent_[v] = parent_[parent_[v]];
        return v;
    }
    void join(std::uint32_t a, std::uint32_t b) { parent_[std::max(find(a), find(b))] = std::min(find(a), find(b)); }

private:
    std::vector<std::uint32_t> parent_;
};

std::int64_t work_of(const cost::TrainingProblem& problem, ClassId device, NodeId node) {
    std::int64_t work = 0;
    for (const cost::OperatorPasses& passes : problem.classes[device.index()].passes[node.index()]) work += passes.at(1).total().count();
    return work;
}

/// The parts of a slice that nothing inside it joins, small ones put together.
std::vector<std::vector<NodeId>> parts_of(const cost::TrainingProblem& problem, std::span<const NodeId> slice, ClassId device,
                                          const std::vector<std::uint32_t>& position, std::uint32_t begin) {
    const auto end = begin + static_cast<std::uint32_t>(slice.size());
    Joined joined(slice.size());
    for (std::uint32_t i = 0; i < slice.size(); ++i)
        for (const NodeId next : problem.structure.successors[slice[i].index()])
            if (const std::uint32_t at = position[next.index()]; at < end) joined.join(i, at - begin);
    // A parameter that two parts share would be stored once and its gradient summed once: they stay together.
    for (std::uint32_t i = 0; i < slice.size(); ++i)
        for (const WeightId weight : problem.structure.weights[slice[i].index()])
            for (const NodeId user : problem.structure.weight_users[weight.index()])
                if (const std::uint32_t at = position[user.index()]; at >= begin && at < end) joined.join(i, at - begin);
    std::vector<std::pair<std::int64_t, std::uint32_t>> roots;  // work, first member
    std::vector<std::int64_t> work(slice.size(), 0);
    std::int64_t total = 0;
    for (std::uint32_t i = 0; i < slice.size(); ++i) {
        const std::int64_t one = work_of(problem, device, slice[i]);
        work[joined.find(i)] += one;
        total += one;
    }
    for (std::uint32_t i = 0; i < slice.size(); ++i)
        if (joined.find(i) == i) roots.emplace_back(-work[i], i);
    std::ranges::sort(roots);
    for (std::size_t r = 1; r < roots.size(); ++r)
        if (r >= kMostParts || -roots[r].first * kSmallest < total) joined.join(roots[r].second, roots[0].second);
    std::vector<std::uint32_t> place(slice.size(), ~0U);
    std::vector<std::vector<NodeId>> parts;
    for (std::uint32_t i = 0; i < slice.size(); ++i) {
        std::uint32_t& at = place[joined.find(i)];
        if (at == ~0U) {
            at = static_cast<std::uint32_t>(parts.size());
            parts.emplace_back();
        }
        parts[at].push_back(slice[i]);
    }
    return parts;
}

}  // namespace

std::vector<std::vector<NodeId>> branch_orders(const cost::StageProblem& problem) {
    std::vector<std::vector<NodeId>> orders{depth_first(problem.predecessors, problem.successors),
                                            depth_first(problem.successors, problem.predecessors)};
    std::ranges::reverse(orders[1]);
    std::vector<NodeId> model;
    for (std::size_t v = 0; v < problem.node_count(); ++v) model.emplace_back(v);
    orders.push_back(std::move(model));
    std::vector<std::vector<NodeId>> distinct;
    for (auto& order : orders)
        if (!std::ranges::contains(distinct, order)) distinct.push_back(std::move(order));
    return distinct;
}

ClassId class_of(const cost::TrainingProblem& problem, std::int64_t device) {
    std::size_t c = 0;
    for (std::int64_t last = 0; c + 1 < problem.structure.classes.size(); ++c) {
        last += problem.structure.classes[c].count;
        if (device < last) break;
    }
    return ClassId(c);
}

cost::TrainingPartition stages_of(const cost::TrainingProblem& problem, const Layout& layout) {
    const std::vector<NodeId>& order = *layout.order;
    std::vector<std::uint32_t> position(order.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) position[order[i].index()] = i;
    cost::TrainingPartition partition{.stages = {}, .schedule = cost::Schedule::list};
    std::uint32_t begin = 0;
    for (std::size_t slice = 0; slice < layout.cuts.size(); ++slice) {
        const std::uint32_t end = layout.cuts[slice];
        assert(begin <= end);
        const DeviceRange& group = layout.groups[layout.group_of[slice]];
        const ClassId device = class_of(problem, group.first);
        for (auto& nodes : parts_of(problem, std::span(order).subspan(begin, end - begin), device, position, begin)) {
            std::ranges::sort(nodes);
            partition.stages.push_back({.nodes = std::move(nodes),
                                        .device = device,
                                        .first_device = group.first,
                                        .replicas = group.count,
                                        .micro_batch = layout.micro_batch});
        }
        begin = end;
    }
    return partition;
}

}  // namespace sluice::training
