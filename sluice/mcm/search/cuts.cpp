#include "sluice/mcm/search/cuts.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "sluice/mcm/chip_mask.hpp"
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

/// The middle of each node's share of `nodes`, laid end to end from `begin` to `begin` + `length`.
void lay_out(const ChipProblem& problem, std::span<const NodeId> nodes, Share share, double begin, double length,
             std::vector<double>& position) {
    const auto& work = problem.costs->classes.front().work;
    double total = 0;
    const auto weight = [&](NodeId node) { return share == Share::work ? static_cast<double>(work[node.index()].count()) : 1; };
    for (const NodeId node : nodes) total += weight(node);
    if (total == 0 && share == Share::work) return lay_out(problem, nodes, Share::operators, begin, length, position);
    double before = 0;
    for (const NodeId node : nodes) {
        // What weighs nothing at the end stays within, too.
        position[node.index()] = std::min(begin + (before + weight(node) / 2) / total * length, std::nextafter(begin + length, begin));
        before += weight(node);
    }
}

bool overfull(const ChipProblem& problem, std::span<const std::uint8_t> chips) {
    if (!problem.rules.memory || !problem.sram) return false;
    std::vector<Bytes> parameters(problem.chips);
    for (std::size_t w = 0; w < problem.costs->weight_count(); ++w) {
        std::uint64_t users = 0;
        for (const NodeId user : problem.costs->weight_users[w]) users |= bit(chips[user.index()]);
        for_each_chip(users, [&](std::uint32_t chip) { parameters[chip] += problem.costs->weight_bytes[w]; });
    }
    return std::ranges::any_of(parameters, [&](Bytes bytes) { return bytes > *problem.sram; });
}

struct Cut {
    std::vector<double> position;  // per node, in chips
    Assignment chips;
};
Cut cut(const ChipProblem& problem, std::span<const NodeId> order, Share share) {
    Cut even{.position = std::vector<double>(order.size()), .chips = Assignment(order.size())};
    lay_out(problem, order, share, 0, static_cast<double>(problem.chips), even.position);
    for (std::size_t v = 0; v < even.chips.size(); ++v)
        even.chips[v] = static_cast<std::uint8_t>(std::min(even.position[v], static_cast<double>(problem.chips - 1)));
    if (!overfull(problem, even.chips)) return even;
    std::optional<Assignment> sliced;
    const EvenProblem alone(problem, share);
    // With room for what every machine needs beside parameters, where there is: two buffers of what crosses, and what is alive within.
    for (const std::int64_t live : {3, 0})
        if (!sliced) sliced = slice_order(alone.problem(), order, {.live_share = live * kLiveUnit});
    if (!sliced) return even;
    even.chips = *std::move(sliced);
    for (std::size_t i = 0; i < order.size();) {
        const std::size_t begin = i, chip = even.chips[order[begin].index()];
        while (i < order.size() && even.chips[order[i].index()] == chip) ++i;
        lay_out(problem, order.subspan(begin, i - begin), share, static_cast<double>(chip), 1, even.position);
    }
    return even;
}

}  // namespace

EvenProblem::EvenProblem(const ChipProblem& problem, Share share) : costs_(cost::without_transfers(*problem.costs)), problem_(problem) {
    if (share == Share::operators) std::ranges::fill(costs_.classes.front().work, Duration{1});
    problem_.costs = &costs_;
}

std::vector<std::vector<NodeId>> known_orders(const cost::StageProblem& costs) {
    std::vector<NodeId> own;
    for (std::size_t v = 0; v < costs.node_count(); ++v) own.emplace_back(v);
    std::vector<std::vector<NodeId>> orders{std::move(own)};
    for (const OrderKind kind : kOrderKinds) orders.push_back(make_order(costs, kind));
    return orders;
}

Assignment cut_evenly(const ChipProblem& problem, std::span<const NodeId> order, Share share) {
    Assignment chips = cut(problem, order, share).chips;
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
    return cut(problem, order, Share::work).position;
}

}  // namespace sluice::mcm
