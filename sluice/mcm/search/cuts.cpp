#include "sluice/mcm/search/cuts.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sluice/mcm/search/order_dp.hpp"

namespace sluice::mcm {

namespace {

/// Chips renumbered 0, 1, … in their order.
void close_up(Assignment& chips) {
    std::array<std::uint8_t, kMostChips> number{};
    for (const std::uint8_t chip : chips) number[chip] = 1;
    std::uint8_t next = 0;
    for (std::uint8_t& n : number) n = n != 0 ? next++ : next;
    for (std::uint8_t& chip : chips) chip = number[chip];
}

std::vector<double> positions(const ChipProblem& problem, std::span<const NodeId> order, Share share) {
    const auto& work = problem.costs->classes.front().work;
    double total = 0;
    const auto weight = [&](NodeId node) { return share == Share::work ? static_cast<double>(work[node.index()].count()) : 1; };
    for (const NodeId node : order) total += weight(node);
    if (total == 0) return positions(problem, order, Share::operators);
    std::vector<double> result(order.size());
    double before = 0;
    for (const NodeId node : order) {
        result[node.index()] = (before + weight(node) / 2) / total * static_cast<double>(problem.chips);
        before += weight(node);
    }
    return result;
}

}  // namespace

std::vector<std::vector<NodeId>> known_orders(const cost::StageProblem& costs) {
    std::vector<NodeId> own;
    for (std::size_t v = 0; v < costs.node_count(); ++v) own.emplace_back(v);
    std::vector<std::vector<NodeId>> orders{std::move(own)};
    for (const OrderKind kind : kOrderKinds) orders.push_back(make_order(costs, kind));
    return orders;
}

Assignment cut_evenly(const ChipProblem& problem, std::span<const NodeId> order, Share share) {
    Assignment chips(order.size());
    const std::vector<double> position = positions(problem, order, share);
    for (std::size_t v = 0; v < chips.size(); ++v)
        chips[v] = static_cast<std::uint8_t>(std::min(position[v], static_cast<double>(problem.chips - 1)));
    close_up(chips);
    return chips;
}

Assignment cut_anywhere(const ChipProblem& problem, std::span<const NodeId> order, RandomStream& random) {
    std::vector<std::size_t> cuts(problem.chips - 1);
    for (std::size_t& cut : cuts) cut = random.below(order.size() + 1);
    std::ranges::sort(cuts);
    return cut_at(order, cuts);
}

Assignment cut_at(std::span<const NodeId> order, std::span<const std::size_t> cuts) {
    Assignment chips(order.size());
    std::size_t chip = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        while (chip < cuts.size() && cuts[chip] <= i) ++chip;
        chips[order[i].index()] = static_cast<std::uint8_t>(chip);
    }
    close_up(chips);
    return chips;
}

std::vector<double> work_positions(const ChipProblem& problem, std::span<const NodeId> order) {
    return positions(problem, order, Share::work);
}

}  // namespace sluice::mcm
