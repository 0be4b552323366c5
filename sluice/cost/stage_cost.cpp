#include "sluice/cost/stage_cost.hpp"

#include <cassert>

#include "sluice/base/distinct.hpp"

namespace sluice::cost {

namespace {

template <typename Id>
void append(std::vector<Id>& to, std::span<const Id> from) {
    to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

Duration spill_time(const DeviceCosts& device, Bytes parameters) {
    if (device.overflow != Overflow::spill || parameters <= device.fast_memory) return Duration{0};
    const auto time = time_for(parameters - device.fast_memory, device.spill_rate);
    assert(time && "freeze() has checked that the spill of all parameters fits");
    return *time;
}

bool fits(const DeviceCosts& device, const StageTerms& terms) {
    return device.overflow != Overflow::hard || terms.parameters + terms.peak <= device.fast_memory;
}

StageTerms stage_terms(const StageProblem& problem, std::span<const NodeId> stage, ClassId device_class) {
    const DeviceCosts& device = problem.classes[device_class.index()];
    constexpr std::size_t kOutside = static_cast<std::size_t>(-1);
    std::vector<std::size_t> position(problem.node_count(), kOutside);
    std::vector<EdgeId> edges;
    std::vector<WeightId> weights;
    StageTerms terms;
    for (std::size_t i = 0; i < stage.size(); ++i) {
        const std::size_t node = stage[i].index();
        position[node] = i;
        terms.work += device.work[node];
        append(edges, problem.inputs[node]);
        append(edges, problem.outputs[node]);
        append(weights, problem.weights[node]);
    }
    keep_distinct(edges);
    keep_distinct(weights);

    Bytes held;                                   // inputs: there before the first node, kept until the last
    std::vector<Bytes> change(stage.size() + 1);  // of what was made inside, from a position on
    for (EdgeId edge : edges) {
        const std::size_t e = edge.index();
        const NodeId producer = problem.producer[e];
        if (!producer.valid() || position[producer.index()] == kOutside) {
            terms.in += problem.transfer[e];
            held += problem.bytes[e];
            continue;
        }
        bool leaves = problem.to_host[e] != 0;
        std::size_t last = position[producer.index()];
        for (NodeId consumer : problem.consumers[e]) {
            const std::size_t at = position[consumer.index()];
            if (at == kOutside)
                leaves = true;
            else
                last = std::max(last, at);
        }
        if (leaves) terms.out += problem.transfer[e];
        change[position[producer.index()]] += problem.bytes[e];
        change[leaves ? stage.size() : last + 1] -= problem.bytes[e];
    }
    Bytes alive, highest;
    for (std::size_t i = 0; i < stage.size(); ++i) {
        alive += change[i];
        highest = std::max(highest, alive + problem.scratch[stage[i].index()]);
    }
    terms.peak = held + highest;
    for (WeightId weight : weights) terms.parameters += problem.weight_bytes[weight.index()];
    terms.spill = spill_time(device, terms.parameters);
    return terms;
}

IncrementalStage::IncrementalStage(const StageProblem& problem, ClassId device)
    : problem_(&problem),
      device_(&problem.classes[device.index()]),
      state_(problem.node_count()),
      readers_(problem.edge_count()),
      weight_uses_(problem.weight_count()) {}

void IncrementalStage::update_parameters(Bytes change) {
    if (change == Bytes{}) return;
    terms_.parameters += change;
    terms_.spill = spill_time(*device_, terms_.parameters);
}

void IncrementalStage::add(NodeId node) {
    assert(!contains(node));
    const std::size_t v = node.index();
    if (!(state_[v] & kTouched)) touched_.push_back(node);
    state_[v] = kInside | kTouched;
    terms_.work += device_->work[v];

    Bytes freed;  // once this node has run
    for (EdgeId edge : problem_->inputs[v]) {
        const std::size_t e = edge.index();
        const std::uint32_t readers = ++readers_[e];
        const NodeId producer = problem_->producer[e];
        if (!producer.valid() || !contains(producer)) {
            if (readers == 1) {
                terms_.in += problem_->transfer[e];
                held_ += problem_->bytes[e];
            }
        } else if (readers == problem_->consumers[e].size() && !problem_->to_host[e]) {
            terms_.out -= problem_->transfer[e];
            freed += problem_->bytes[e];
        }
    }
    for (EdgeId edge : problem_->outputs[v]) {
        const std::size_t e = edge.index();
        if (readers_[e] > 0) {
            terms_.in -= problem_->transfer[e];
            peak_valid_ = false;
        }
        alive_ += problem_->bytes[e];
        if (readers_[e] < problem_->consumers[e].size() || problem_->to_host[e])
            terms_.out += problem_->transfer[e];
        else
            freed += problem_->bytes[e];
    }
    highest_ = std::max(highest_, alive_ + problem_->scratch[v]);
    alive_ -= freed;
    terms_.peak = peak_valid_ ? held_ + highest_ : Bytes{};

    Bytes stored;
    for (WeightId weight : problem_->weights[v])
        if (weight_uses_[weight.index()]++ == 0) stored += problem_->weight_bytes[weight.index()];
    update_parameters(stored);
}

void IncrementalStage::remove(NodeId node) {
    assert(contains(node));
    const std::size_t v = node.index();
    state_[v] = kTouched;
    terms_.work -= device_->work[v];
    terms_.peak = Bytes{};
    peak_valid_ = false;

    for (EdgeId edge : problem_->inputs[v]) {
        const std::size_t e = edge.index();
        const std::uint32_t readers = readers_[e]--;
        const NodeId producer = problem_->producer[e];
        if (!producer.valid() || !contains(producer)) {
            if (readers == 1) terms_.in -= problem_->transfer[e];
        } else if (readers == problem_->consumers[e].size() && !problem_->to_host[e]) {
            terms_.out += problem_->transfer[e];
        }
    }
    for (EdgeId edge : problem_->outputs[v]) {
        const std::size_t e = edge.index();
        if (readers_[e] > 0) terms_.in += problem_->transfer[e];
        if (readers_[e] < problem_->consumers[e].size() || problem_->to_host[e]) terms_.out -= problem_->transfer[e];
    }
    Bytes dropped;
    for (WeightId weight : problem_->weights[v])
        if (--weight_uses_[weight.index()] == 0) dropped += problem_->weight_bytes[weight.index()];
    update_parameters(Bytes{} - dropped);
}

void IncrementalStage::clear() {
    for (NodeId node : touched_) {
        const std::size_t v = node.index();
        state_[v] = 0;
        for (EdgeId edge : problem_->inputs[v]) readers_[edge.index()] = 0;
        for (WeightId weight : problem_->weights[v]) weight_uses_[weight.index()] = 0;
    }
    touched_.clear();
    terms_ = {};
    held_ = alive_ = highest_ = Bytes{};
    peak_valid_ = true;
}

}  // namespace sluice::cost
