#include "sluice/inference/stage_moves.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::inference {

StageMoves::StageMoves(const cost::StageProblem& problem)
    : problem_(&problem), stage_of_(problem.node_count()), listed_in_(problem.node_count(), kNowhere), listed_at_(problem.node_count()) {
    order_.reserve(problem.node_count());
}

void StageMoves::assign(const cost::Partition& partition, std::int64_t devices) {
    steps_.clear(), changed_.clear(), before_.clear();
    stages_.clear(), order_.clear();
    std::ranges::fill(listed_in_, kNowhere);
    std::vector<std::int64_t> left;
    for (const auto& device : problem_->classes) left.push_back(device.count);
    for (const cost::Stage& stage : partition.stages) {
        for (NodeId node : stage.nodes) stage_of_[node.index()] = static_cast<std::uint32_t>(stages_.size());
        order_.insert(order_.end(), stage.nodes.begin(), stage.nodes.end());
        stages_.push_back({stage.device, stage.replicas, cost::stage_terms(*problem_, stage.nodes, stage.device)});
        left[stage.device.index()] -= stage.replicas;
        devices -= stage.replicas;
    }
    for (std::size_t c = 0; c < left.size(); ++c)
        for (; left[c] > 0 && devices > 0; --left[c], --devices) stages_.push_back({ClassId(c), 1, {}});
    is_changed_.assign(stages_.size(), 0);
    border_.resize(stages_.size());
    for (auto& list : border_) list.clear();
    for (NodeId node : order_) refresh(node);
}

Duration StageMoves::time(std::size_t stage) const {
    const std::int64_t time = stage_time(problem_->model, stages_[stage].terms).count(), replicas = stages_[stage].replicas;
    return Duration{replicas == 1 ? time : time / replicas + (time % replicas != 0)};
}

bool StageMoves::can_go_up(NodeId node) const {
    const std::uint32_t stage = stage_of_[node.index()];
    return stage + 1 < stages_.size() &&
           std::ranges::none_of(problem_->successors[node.index()], [&](NodeId next) { return stage_of_[next.index()] == stage; });
}

bool StageMoves::can_go_down(NodeId node) const {
    const std::uint32_t stage = stage_of_[node.index()];
    return stage > 0 &&
           std::ranges::none_of(problem_->predecessors[node.index()], [&](NodeId before) { return stage_of_[before.index()] == stage; });
}

StageMoves::Range StageMoves::range_of(NodeId node) const {
    Range range{0, stages_.size() - 1};
    for (NodeId before : problem_->predecessors[node.index()]) range.low = std::max<std::size_t>(range.low, stage_of_[before.index()]);
    for (NodeId next : problem_->successors[node.index()]) range.high = std::min<std::size_t>(range.high, stage_of_[next.index()]);
    return range;
}

StageMoves::Readers StageMoves::readers_of(std::span<const NodeId> readers, NodeId but, std::size_t from, std::size_t to) const {
    Readers found;
    for (NodeId reader : readers) {
        if (reader == but) continue;
        const std::size_t stage = stage_of_[reader.index()];
        found.in_from |= stage == from;
        found.in_to |= stage == to;
        found.beside_from |= stage != from;
        found.beside_to |= stage != to;
        if (found.in_from && found.in_to) break;  // each is beside the other
    }
    return found;
}

void StageMoves::touch(std::size_t stage) {
    if (is_changed_[stage]) return;
    is_changed_[stage] = 1;
    changed_.push_back(stage);
    before_.push_back(stages_[stage].terms);
}

void StageMoves::move(NodeId node, std::size_t to) {
    const std::size_t v = node.index(), from = stage_of_[v];
    assert(from != to && range_of(node).low <= to && to <= range_of(node).high && supported(node, to));
    touch(from), touch(to);
    steps_.push_back({node, static_cast<std::uint32_t>(from)});
    cost::StageTerms &left = stages_[from].terms, &joined = stages_[to].terms;
    const auto &left_device = problem_->classes[stages_[from].device.index()],
               &joined_device = problem_->classes[stages_[to].device.index()];
    left.work -= left_device.work[v];
    joined.work += joined_device.work[v];
    for (EdgeId edge : problem_->inputs[v]) {
        const std::size_t e = edge.index();
        const Duration transfer = problem_->transfer[e];
        if (transfer == Duration{0}) continue;
        const NodeId producer = problem_->producer[e];
        const std::size_t made_in = producer.valid() ? stage_of_[producer.index()] : kNowhere;
        const Readers others = readers_of(problem_->consumers[e], node, from, to);
        if (made_in == from) {
            if (!problem_->to_host[e] && !others.beside_from) left.out += transfer;
        } else if (!others.in_from) {
            left.in -= transfer;
        }
        if (made_in == to) {
            if (!problem_->to_host[e] && !others.beside_to) joined.out -= transfer;
        } else if (!others.in_to) {
            joined.in += transfer;
        }
    }
    for (EdgeId edge : problem_->outputs[v]) {
        const std::size_t e = edge.index();
        const Duration transfer = problem_->transfer[e];
        if (transfer == Duration{0}) continue;
        const Readers readers = readers_of(problem_->consumers[e], NodeId(), from, to);
        if (problem_->to_host[e] || readers.beside_from) left.out -= transfer;
        if (readers.in_from) left.in += transfer;
        if (readers.in_to) joined.in -= transfer;
        if (problem_->to_host[e] || readers.beside_to) joined.out += transfer;
    }
    for (WeightId weight : problem_->weights[v]) {
        const Bytes bytes = problem_->weight_bytes[weight.index()];
        const Readers others = readers_of(problem_->weight_users[weight.index()], node, from, to);
        if (!others.in_from) left.parameters -= bytes;
        if (!others.in_to) joined.parameters += bytes;
    }
    left.spill = cost::spill_time(left_device, left.parameters);
    joined.spill = cost::spill_time(joined_device, joined.parameters);
    stage_of_[v] = static_cast<std::uint32_t>(to);
}

bool StageMoves::holds() const {
    std::vector<NodeId> nodes;
    for (std::size_t stage : changed_) {
        const auto& device = problem_->classes[stages_[stage].device.index()];
        if (device.overflow != cost::Overflow::hard) continue;
        if (stages_[stage].terms.parameters > device.fast_memory) return false;
        nodes.clear();
        for (NodeId node : order_)
            if (stage_of_[node.index()] == stage) nodes.push_back(node);
        if (!fits(device, cost::stage_terms(*problem_, nodes, stages_[stage].device))) return false;
    }
    return true;
}

void StageMoves::keep() {
    for (const Step& step : steps_) {
        refresh(step.node);
        for (NodeId before : problem_->predecessors[step.node.index()]) refresh(before);
        for (NodeId next : problem_->successors[step.node.index()]) refresh(next);
    }
    for (std::size_t stage : changed_) is_changed_[stage] = 0;
    steps_.clear(), changed_.clear(), before_.clear();
}

void StageMoves::take_back() {
    for (std::size_t i = steps_.size(); i-- > 0;) stage_of_[steps_[i].node.index()] = steps_[i].from;
    for (std::size_t i = 0; i < changed_.size(); ++i) {
        stages_[changed_[i]].terms = before_[i];
        is_changed_[changed_[i]] = 0;
    }
    steps_.clear(), changed_.clear(), before_.clear();
}

void StageMoves::refresh(NodeId node) {
    const std::size_t v = node.index();
    const std::uint32_t stage = can_go_up(node) || can_go_down(node) ? stage_of_[v] : kNowhere;
    if (listed_in_[v] == stage) return;
    if (listed_in_[v] != kNowhere) {
        auto& list = border_[listed_in_[v]];
        list[listed_at_[v]] = list.back();
        listed_at_[list.back().index()] = listed_at_[v];
        list.pop_back();
    }
    listed_in_[v] = stage;
    if (stage == kNowhere) return;
    listed_at_[v] = static_cast<std::uint32_t>(border_[stage].size());
    border_[stage].push_back(node);
}

cost::Partition StageMoves::partition(std::span<const std::uint32_t> stage_of) const {
    cost::Partition partition;
    for (const Stage& stage : stages_) partition.stages.push_back({{}, stage.device, stage.replicas});
    for (NodeId node : order_) partition.stages[stage_of[node.index()]].nodes.push_back(node);
    std::erase_if(partition.stages, [](const cost::Stage& stage) { return stage.nodes.empty(); });
    return partition;
}

}  // namespace sluice::inference
