#include "sluice/mcm/search/lessons.hpp"

#include <algorithm>
#include <utility>

namespace sluice::mcm {

namespace {

constexpr std::int64_t kMostShare = 8 * kLiveUnit;  // two buffers at each border and all within are 3; what asks for more failed otherwise

Bytes parameters_of(const cost::StageProblem& costs, std::span<const NodeId> nodes) {
    std::vector<char> seen(costs.weight_count(), 0);
    Bytes bytes;
    for (const NodeId node : nodes)
        for (const WeightId weight : costs.weights[node.index()])
            if (!std::exchange(seen[weight.index()], 1)) bytes += costs.weight_bytes[weight.index()];
    return bytes;
}

}  // namespace

bool Lessons::learn(const CompileFailure& failure, std::span<const NodeId> order, std::span<const std::uint8_t> chips) {
    if (!failure.nodes.empty()) nogoods_.push_back(failure.nodes);
    const auto on_chip = std::ranges::equal_range(order, failure.chip, {}, [&](NodeId node) { return std::size_t{chips[node.index()]}; });
    if (!problem_->sram || !problem_->rules.memory || on_chip.empty()) return !failure.nodes.empty();
    const std::vector<std::int64_t> live = live_bytes(*problem_->costs, order);
    const auto first = live.begin() + (on_chip.begin() - order.begin()), last = live.begin() + (on_chip.end() - order.begin());
    const std::int64_t alive = *first + *last + (first + 1 < last ? *std::max_element(first + 1, last) : 0);
    const std::int64_t room = (*problem_->sram - parameters_of(*problem_->costs, {on_chip.begin(), on_chip.end()})).count;
    if (alive == 0 || room < 0 || room / alive >= kMostShare / kLiveUnit) return !failure.nodes.empty();
    const std::int64_t share = room / alive * kLiveUnit + room % alive * kLiveUnit / alive + 1;
    const bool more = share > live_share_;
    live_share_ = std::max(live_share_, share);
    return more || !failure.nodes.empty();
}

std::optional<Assignment> Lessons::slice_within(const ChipProblem& problem, std::span<const NodeId> order,
                                                OrderSliceOptions options) const {
    ChipProblem taught = problem;
    taught.nogoods.insert(taught.nogoods.end(), nogoods_.begin(), nogoods_.end());
    options.live_share = live_share_;
    return slice_order(taught, order, options);
}

std::optional<Assignment> Lessons::slice(const ChipProblem& problem, std::span<const NodeId> order, const OrderSliceOptions& options) {
    // An order without any slicing says nothing of the share.
    for (const std::int64_t known = live_share_;; live_share_ = live_share_ * 3 / 4) {
        auto chips = slice_within(problem, order, options);
        // Below what is asked for there may be nothing with any share; without that question, the share is too much.
        const bool stopped = options.limits != nullptr && (options.limits->interrupted() || options.limits->out_of_time());
        if (!chips && !options.below && !stopped && live_share_ > 0) continue;
        if (!chips) live_share_ = known;
        return chips;
    }
}

std::optional<Assignment> judge_slicings(const ChipProblem& problem, std::span<const NodeId> order, std::string_view source,
                                         Lessons& lessons, Trials& trials, const Limits& limits) {
    constexpr int kMostFailures = 256;  // in a row
    std::vector<Assignment> failed;
    while (failed.size() < kMostFailures && !trials.over()) {
        auto chips = lessons.slice(problem, order, {.limits = &limits});
        if (!chips || std::ranges::contains(failed, *chips)) break;
        const Verdict* verdict = trials.ask(*chips, source);
        if (verdict == nullptr) break;
        if (verdict->fits()) return chips;
        if (!lessons.learn(*verdict->failure, order, *chips)) break;
        failed.push_back(*std::move(chips));
    }
    return std::nullopt;
}

}  // namespace sluice::mcm
