#include "sluice/mcm/policy/positions.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <optional>

#include "sluice/mcm/sample.hpp"
#include "sluice/mcm/search/cuts.hpp"

namespace sluice::mcm::policy {

namespace {

constexpr std::uint64_t kMostPositionSteps = std::uint64_t{1} << 24;
constexpr std::uint32_t kNoPath = ~std::uint32_t{0};

/// From `from`, an edge along `next` costing 1 and one against it nothing.
std::vector<std::uint32_t> zero_one_distances(const Rows<NodeId>& next, const Rows<NodeId>& back, std::size_t from) {
    std::vector<std::uint32_t> distance(next.size(), kNoPath);
    std::vector<char> done(next.size());
    std::deque<std::size_t> queue{from};
    distance[from] = 0;
    while (!queue.empty()) {
        const std::size_t node = queue.front();
        queue.pop_front();
        if (std::exchange(done[node], 1) != 0) continue;
        for (const NodeId other : back[node])
            if (distance[other.index()] > distance[node]) {
                distance[other.index()] = distance[node];
                queue.push_front(other.index());
            }
        for (const NodeId other : next[node])
            if (distance[other.index()] > distance[node] + 1) {
                distance[other.index()] = distance[node] + 1;
                queue.push_back(other.index());
            }
    }
    return distance;
}

/// What cannot be reached (another component) counts as near.
std::size_t farthest(const std::vector<std::uint32_t>& distance) {
    std::size_t best = 0;
    std::uint32_t most = 0;
    for (std::size_t v = 0; v < distance.size(); ++v)
        if (distance[v] != kNoPath && distance[v] > most) {
            most = distance[v];
            best = v;
        }
    return best;
}

struct Labels {
    std::uint32_t span = 0;  // the largest
    std::vector<std::uint32_t> greatest, least;
};

Labels labels_of(const cost::StageProblem& costs) {
    const std::size_t nodes = costs.node_count();
    std::vector<std::size_t> sources;
    for (std::size_t v = 0; v < nodes; ++v)
        if (costs.predecessors[v].empty()) sources.push_back(v);
    const std::uint64_t each = nodes + 2 * costs.successors.total() + 1;
    const std::size_t tried = std::clamp<std::size_t>(kMostPositionSteps / each, 1, sources.size());
    Labels labels;
    const auto keep = [&](std::vector<std::uint32_t> distance) {
        const std::size_t end = farthest(distance);
        const std::uint32_t span = distance[end] == kNoPath ? 0 : distance[end];
        if (!labels.greatest.empty() && span <= labels.span) return;
        labels.span = span;
        labels.least = zero_one_distances(costs.predecessors, costs.successors, end);
        for (std::uint32_t& label : labels.least) label = label == kNoPath || label > span ? 0 : span - label;
        for (std::uint32_t& label : distance) label = label == kNoPath ? 0 : label;
        labels.greatest = std::move(distance);
    };
    for (std::size_t i = 0; i < tried; ++i)
        keep(zero_one_distances(costs.successors, costs.predecessors, sources[i * sources.size() / tried]));
    return labels;
}

/// Nodes by (label, number): topological, as a label never falls along an edge.
std::vector<NodeId> order_by(std::size_t nodes, const std::vector<std::uint32_t>& label) {
    std::vector<NodeId> order;
    for (std::size_t v = 0; v < nodes; ++v) order.emplace_back(v);
    if (!label.empty()) std::ranges::stable_sort(order, {}, [&](NodeId v) { return label[v.index()]; });
    return order;
}

/// Of the orders, the best repaired; half as many chips where none can be.
Result<Positions> positions_under(const Rules& rules, const ChipProblem& problem, const Labels& labels) {
    const cost::StageProblem& costs = *problem.costs;
    ChipProblem strict = problem;
    strict.rules = rules;
    const std::size_t most = std::min(problem.chips, rules.adjacent ? std::size_t{labels.span} + 1 : costs.node_count());
    std::vector<std::uint32_t> middle(costs.node_count());
    for (std::size_t v = 0; v < middle.size(); ++v) middle[v] = (labels.greatest[v] + labels.least[v]) / 2;

    RandomStream random(0);
    const auto order = walk_order(costs, WalkOrder::bisection, random);
    std::optional<Positions> best;
    std::optional<Diagnostic> why;
    ChipSolver solver(strict);
    const auto try_label = [&](const std::vector<std::uint32_t>& label, std::size_t usable) {
        ChipProblem fewer = strict;
        fewer.chips = usable;
        const std::vector<double> position = work_positions(fewer, order_by(costs.node_count(), label));
        Positions tried{.rules = rules, .usable = usable, .of_node = {}, .chips = {}, .period = {}};
        Assignment candidate(costs.node_count());
        for (std::size_t v = 0; v < candidate.size(); ++v) {
            tried.of_node.push_back(static_cast<float>(position[v] / static_cast<double>(usable)));
            candidate[v] = static_cast<std::uint8_t>(std::clamp(std::floor(position[v]), 0.0, static_cast<double>(usable - 1)));
        }
        auto fixed = fix(solver, candidate, order, OpenNodes::nearest, random);
        if (!fixed) {
            why = std::move(fixed.error());
            return;
        }
        tried.chips = std::move(fixed->chips);
        tried.period = bottleneck(problem, tried.chips);
        if (!best || tried.period < best->period) best = std::move(tried);
    };
    // Repair may not find the legal way to that many chips: fewer are easier.
    for (std::size_t usable = most; usable > 0 && !best; usable /= 2)
        for (const auto& label : {std::vector<std::uint32_t>{}, labels.greatest, labels.least, middle}) try_label(label, usable);
    if (best) return *std::move(best);
    // No assignment under the stricter rule says nothing of those without it.
    if (rules.adjacent != problem.rules.adjacent && why->kind == DiagnosticKind::infeasible) why->kind = DiagnosticKind::stopped;
    return fail(*std::move(why));
}

}  // namespace

ChipProblem sampling_problem(const ChipProblem& problem, const Positions& positions) {
    ChipProblem strict = problem;
    strict.rules = positions.rules;
    return strict;
}

Result<Positions> equal_work_positions(const ChipProblem& problem) {
    const Labels labels = labels_of(*problem.costs);
    Rules strict = problem.rules;
    strict.adjacent = strict.adjacent || !strict.relay || labels.span + 1 >= problem.chips;
    auto positions = positions_under(strict, problem, labels);
    if (positions || strict.adjacent == problem.rules.adjacent || !problem.rules.relay) return positions;
    // What is kept from one end to the other cannot be next to both.
    return positions_under(problem.rules, problem, labels);
}

}  // namespace sluice::mcm::policy
