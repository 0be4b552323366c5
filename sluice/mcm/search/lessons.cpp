#include "sluice/mcm/search/lessons.hpp"

#include <utility>

namespace sluice::mcm {

namespace {

constexpr double kNear = 0.7;  // of what is allowed: a chip with fewer parameters failed for other reasons

Bytes parameters_of(const cost::StageProblem& costs, std::span<const NodeId> nodes) {
    std::vector<char> seen(costs.weight_count(), 0);
    Bytes bytes;
    for (const NodeId node : nodes)
        for (const WeightId weight : costs.weights[node.index()])
            if (!std::exchange(seen[weight.index()], 1)) bytes += costs.weight_bytes[weight.index()];
    return bytes;
}

}  // namespace

bool Lessons::learn(const CompileFailure& failure) {
    if (failure.nodes.empty()) return false;
    nogoods_.push_back(failure.nodes);
    if (!problem_->sram || !problem_->rules.memory || !reserving_) return true;
    const Bytes parameters = parameters_of(*problem_->costs, failure.nodes), allowed = *problem_->sram - reserve_;
    if (parameters <= allowed && static_cast<double>(parameters.count) >= kNear * static_cast<double>(allowed.count))
        reserve_ = *problem_->sram - parameters + Bytes{1};
    return true;
}

std::optional<Assignment> Lessons::slice(const ChipProblem& problem, std::span<const NodeId> order, OrderSliceOptions options) {
    ChipProblem taught = problem;
    taught.nogoods.insert(taught.nogoods.end(), nogoods_.begin(), nogoods_.end());
    options.reserve = reserving_ ? reserve_ : Bytes{};
    auto chips = slice_order(taught, order, options);
    // Below what is asked for there may be nothing with any reserve; without that question, the reserve is too much.
    if (chips || options.below || !reserving_ || reserve_.count == 0) return chips;
    reserving_ = false;
    options.reserve = {};
    return slice_order(taught, order, options);
}

std::optional<Assignment> judge_slicings(const ChipProblem& problem, std::span<const NodeId> order, std::string_view source,
                                         Lessons& lessons, Trials& trials, const Limits& limits) {
    constexpr int kMostFailures = 256;  // in a row
    for (int i = 0; i < kMostFailures && !trials.over(); ++i) {
        auto chips = lessons.slice(problem, order, {.limits = &limits});
        if (!chips) break;
        const Verdict* verdict = trials.ask(*chips, source);
        if (verdict == nullptr) break;
        if (verdict->fits()) return chips;
        if (!lessons.learn(*verdict->failure)) break;
    }
    return std::nullopt;
}

}  // namespace sluice::mcm
