#include "sluice/mcm/sample.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <deque>
#include <format>
#include <numeric>
#include <utility>

#include "sluice/mcm/chip_mask.hpp"
#include "sluice/mcm/walk.hpp"

namespace sluice::mcm {

namespace {

std::size_t any_of(std::uint64_t mask, RandomStream& random) {
    for (std::uint64_t skip = random.below(static_cast<std::uint64_t>(std::popcount(mask))); skip > 0; --skip) mask &= mask - 1;
    return lowest(mask);
}

/// In the mask, summed from the lowest chip: the same sum wherever it is needed.
double weight_of(std::span<const float> row, std::uint64_t mask) {
    double sum = 0;
    for (; mask != 0; mask &= mask - 1) sum += static_cast<double>(row[lowest(mask)]);
    return sum;
}

std::size_t draw(std::span<const float> row, std::uint64_t mask, RandomStream& random) {
    const double sum = row.empty() ? 0 : weight_of(row, mask);
    if (!(sum > 0)) return any_of(mask, random);
    double rest = random.unit() * sum;
    std::size_t last = lowest(mask);
    for (; mask != 0; mask &= mask - 1) {
        const auto weight = static_cast<double>(row[lowest(mask)]);
        if (!(weight > 0)) continue;
        last = lowest(mask);
        if (rest < weight) break;
        rest -= weight;
    }
    return last;
}

double log_probability(std::span<const float> row, std::uint64_t mask, std::size_t chip) {
    const double sum = row.empty() ? 0 : weight_of(row, mask);
    if (!(sum > 0)) return -std::log(static_cast<double>(std::popcount(mask)));
    return std::log(static_cast<double>(row[chip]) / sum);
}

std::vector<NodeId> bisection(std::size_t count) {
    std::vector<NodeId> order;
    std::deque<std::pair<std::size_t, std::size_t>> parts{{0, count}};
    while (!parts.empty()) {
        const auto [begin, end] = parts.front();
        parts.pop_front();
        if (begin == end) continue;
        const std::size_t middle = begin + (end - begin) / 2;
        order.emplace_back(middle);
        parts.emplace_back(begin, middle);
        parts.emplace_back(middle + 1, end);
    }
    return order;
}

std::vector<NodeId> from_middle(const cost::StageProblem& costs) {
    std::vector<NodeId> order;
    std::vector<char> seen(costs.node_count());
    const auto meet = [&](NodeId node) {
        if (!std::exchange(seen[node.index()], 1)) order.push_back(node);
    };
    const auto spread = [&](std::size_t done) {
        for (; done < order.size(); ++done)
            for (const auto& row : {costs.predecessors[order[done].index()], costs.successors[order[done].index()]})
                for (const NodeId next : row) meet(next);
    };
    meet(NodeId(costs.node_count() / 2));
    spread(0);
    for (std::size_t v = 0; v < costs.node_count(); ++v) {
        const std::size_t done = order.size();
        meet(NodeId(v));
        spread(done);
    }
    return order;
}

}  // namespace

std::string_view to_text(WalkOrder order) {
    switch (order) {
        case WalkOrder::bisection:
            return "bisection";
        case WalkOrder::random:
            return "random";
        case WalkOrder::topological:
            return "topological";
        case WalkOrder::from_middle:
            return "from-middle";
    }
    std::unreachable();
}

std::vector<NodeId> walk_order(const cost::StageProblem& costs, WalkOrder order, RandomStream& random) {
    if (order == WalkOrder::bisection) return bisection(costs.node_count());
    if (order == WalkOrder::from_middle) return from_middle(costs);
    std::vector<NodeId> nodes;
    for (std::size_t v = 0; v < costs.node_count(); ++v) nodes.emplace_back(v);
    if (order == WalkOrder::random) random.shuffle(std::span(nodes));
    return nodes;
}

Result<Sample> sample(ChipSolver& solver, std::span<const float> probabilities, std::span<const NodeId> order, RandomStream& random,
                      const WalkLimits& limits) {
    const std::size_t chips = solver.problem().chips;
    assert(order.size() == solver.problem().node_count() && (probabilities.empty() || probabilities.size() == order.size() * chips));
    const auto row = [&](NodeId node) {
        return probabilities.empty() ? probabilities : probabilities.subspan(node.index() * chips, chips);
    };
    Walk walk(solver, limits);
    if (!solver.consistent()) return fail(solver.why());
    Sample result;
    result.masks.resize(order.size());
    for (std::size_t step = 0; step < order.size();) {
        const NodeId node = order[step];
        const std::uint64_t mask = solver.domain(node);
        result.masks[step] = mask;
        if (solver.decided(node)) {
            ++step;
            continue;
        }
        const auto next = walk.decide(step, node, draw(row(node), mask, random));
        if (!next) return fail(next.error());
        step = *next;
    }
    result.chips = walk.chips();
    for (std::size_t step = 0; step < order.size(); ++step)
        if (!std::has_single_bit(result.masks[step]))
            result.log_probability += log_probability(row(order[step]), result.masks[step], result.chips[order[step].index()]);
    result.counts = walk.counts();
    return result;
}

Result<Fixed> fix(ChipSolver& solver, std::span<const std::uint8_t> candidate, std::span<const NodeId> order, OpenNodes open,
                  RandomStream& random, const WalkLimits& limits) {
    const std::size_t nodes = order.size();
    assert(nodes == solver.problem().node_count() && candidate.size() == nodes);
    Walk walk(solver, limits);
    if (!solver.consistent()) return fail(solver.why());
    for (std::size_t step = 0; step < 2 * nodes;) {
        const NodeId node = order[step % nodes];
        const std::uint64_t mask = solver.domain(node);
        const std::size_t wanted = candidate[node.index()];
        const bool possible = wanted < kMostChips && (mask >> wanted & 1) != 0;
        if (solver.decided(node) || (step < nodes && !possible)) {
            ++step;
            continue;
        }
        std::size_t chip = wanted;
        if (step >= nodes) {
            chip = any_of(mask, random);
            if (open == OpenNodes::nearest) {
                const auto distance = [&](std::size_t d) { return d > wanted ? d - wanted : wanted - d; };
                chip = lowest(mask);
                for (std::uint64_t rest = mask; rest != 0; rest &= rest - 1)
                    if (distance(lowest(rest)) < distance(chip)) chip = lowest(rest);
            }
        }
        const auto next = walk.decide(step, node, chip);
        if (!next) return fail(next.error());
        step = *next;
    }
    Fixed fixed{.chips = walk.chips(), .kept = 0, .counts = walk.counts()};
    for (std::size_t v = 0; v < nodes; ++v) fixed.kept += fixed.chips[v] == candidate[v];
    return fixed;
}

}  // namespace sluice::mcm
