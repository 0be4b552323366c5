#include "sluice/search/stage_graph.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::search {

StageGraph::StageGraph(const cost::StageProblem& problem, const cost::Partition& partition)
    : problem_(&problem), members_(partition.stages), stage_of_(problem.node_count()) {
    const std::size_t count = members_.size();
    edges_.assign(count * count, 0);
    costs_.reserve(count);
    for (std::size_t s = 0; s < count; ++s) {
        costs_.emplace_back(problem, members_[s].device);
        for (NodeId node : members_[s].nodes) {
            costs_[s].add(node);
            stage_of_[node.index()] = s;
        }
    }
    for (std::size_t v = 0; v < problem.node_count(); ++v)
        for (NodeId next : problem.successors[v]) ++edges(stage_of_[v], stage_of_[next.index()]);
}

bool StageGraph::sound(std::size_t stage) const {
    const auto& device = problem_->classes[members_[stage].device.index()];
    const auto& nodes = members_[stage].nodes;
    if (!std::ranges::all_of(nodes, [&](NodeId node) { return device.supported.contains(node.index()); })) return false;
    return device.overflow != cost::Overflow::hard || cost::fits(device, cost::stage_terms(*problem_, nodes, members_[stage].device));
}

bool StageGraph::sort() {
    const std::size_t count = members_.size();
    waiting_.assign(count, 0);
    for (std::size_t a = 0; a < count; ++a)
        for (std::size_t b = 0; b < count; ++b)
            if (a != b && edges_[a * count + b] != 0) ++waiting_[b];
    order_.clear();
    for (std::size_t s = 0; s < count; ++s)
        if (waiting_[s] == 0) order_.push_back(s);
    for (std::size_t done = 0; done < order_.size(); ++done)
        for (std::size_t b = 0; b < count; ++b)
            if (b != order_[done] && edges_[order_[done] * count + b] != 0 && --waiting_[b] == 0) order_.push_back(b);
    return order_.size() == count;
}

std::optional<Duration> StageGraph::latency() {
    if (!sort()) return std::nullopt;
    const std::size_t count = members_.size();
    arrival_.assign(count, 0);
    std::int64_t latency = 0;
    for (std::size_t s : order_) {
        const std::int64_t end = arrival_[s] + costs_[s].time().count();
        latency = std::max(latency, end);
        for (std::size_t b = 0; b < count; ++b)
            if (b != s && edges_[s * count + b] != 0) arrival_[b] = std::max(arrival_[b], end);
    }
    return Duration{latency};
}

void StageGraph::place(NodeId node, std::size_t to) {
    const std::size_t v = node.index(), from = stage_of_[v];
    for (NodeId before : problem_->predecessors[v]) {
        --edges(stage_of_[before.index()], from);
        ++edges(stage_of_[before.index()], to);
    }
    for (NodeId next : problem_->successors[v]) {
        --edges(from, stage_of_[next.index()]);
        ++edges(to, stage_of_[next.index()]);
    }
    costs_[from].remove(node);
    costs_[to].add(node);
    stage_of_[v] = to;
}

void StageGraph::move(NodeId node, std::size_t to) {
    const std::size_t from = stage_of(node);
    assert(from != to);
    auto& source = members_[from].nodes;
    const auto at = std::ranges::find(source, node);
    last_ = {node, from, static_cast<std::size_t>(at - source.begin())};
    source.erase(at);
    const bool first = std::ranges::any_of(problem_->successors[node.index()], [&](NodeId next) { return stage_of(next) == to; });
    auto& target = members_[to].nodes;
    target.insert(first ? target.begin() : target.end(), node);
    place(node, to);
}

void StageGraph::undo_move() {
    auto& now = members_[stage_of(last_.node)].nodes;
    now.erase(std::ranges::find(now, last_.node));
    auto& before = members_[last_.from].nodes;
    before.insert(before.begin() + static_cast<std::ptrdiff_t>(last_.position), last_.node);
    place(last_.node, last_.from);
}

void StageGraph::set_device(std::size_t stage, ClassId device) {
    members_[stage].device = device;
    costs_[stage] = cost::IncrementalStage(*problem_, device);
    for (NodeId node : members_[stage].nodes) costs_[stage].add(node);
}

StageGraph::Merged StageGraph::merge(std::size_t into, std::size_t from) {
    assert(into != from);
    Merged merged{into, from, members_[into].nodes, members_[from].nodes};
    // Unrelated, or one feeds the other: through a third stage it would close a cycle, which the caller finds.
    const bool from_first = edges(from, into) != 0;
    auto& target = members_[into].nodes;
    target.insert(from_first ? target.begin() : target.end(), merged.before_from.begin(), merged.before_from.end());
    for (NodeId node : merged.before_from) place(node, into);
    members_[from].nodes.clear();
    return merged;
}

void StageGraph::undo(const Merged& merged) {
    for (NodeId node : merged.before_from) place(node, merged.from);
    members_[merged.into].nodes = merged.before_into;
    members_[merged.from].nodes = merged.before_from;
}

cost::Partition StageGraph::partition() {
    [[maybe_unused]] const bool acyclic = sort();
    assert(acyclic);
    cost::Partition partition;
    for (std::size_t s : order_)
        if (!empty(s)) partition.stages.push_back({members_[s].nodes, members_[s].device, 1});
    return partition;
}

}  // namespace sluice::search
