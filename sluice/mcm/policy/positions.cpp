#include "sluice/mcm/policy/positions.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <optional>

#include "sluice/mcm/sample.hpp"

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

/// Work before the middle of each node when nodes run by (label, number), as a share of all.
std::vector<float> positions_by(const cost::StageProblem& costs, const std::vector<std::uint32_t>& label) {
    std::vector<std::size_t> order(costs.node_count());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (!label.empty()) std::ranges::stable_sort(order, {}, [&](std::size_t v) { return label[v]; });
    const std::vector<Duration>& work = costs.classes.front().work;
    const double total = static_cast<double>(std::accumulate(work.begin(), work.end(), Duration{0}).count());
    std::vector<float> positions(order.size());
    double before = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        const auto own = static_cast<double>(work[order[i]].count());
        const double middle = total > 0 ? (before + own / 2) / total : (static_cast<double>(i) + 0.5) / static_cast<double>(order.size());
        positions[order[i]] = static_cast<float>(middle);
        before += own;
    }
    return positions;
}

/// With relays, too, where no chip is lost by it: the adjacent rule is the one whose samples are good (fewer tensors pass through).
ChipProblem strict_problem(const ChipProblem& problem, const Labels& labels) {
    ChipProblem strict = problem;
    strict.rules.adjacent = strict.rules.adjacent || !strict.rules.relay || labels.span + 1 >= problem.chips;
    return strict;
}

}  // namespace

ChipProblem sampling_problem(const ChipProblem& problem) { return strict_problem(problem, labels_of(*problem.costs)); }

Result<Positions> equal_work_positions(const ChipProblem& problem) {
    const cost::StageProblem& costs = *problem.costs;
    const Labels labels = labels_of(costs);
    const ChipProblem strict = strict_problem(problem, labels);
    const std::size_t most = std::min(problem.chips, strict.rules.adjacent ? std::size_t{labels.span} + 1 : costs.node_count());
    std::vector<std::uint32_t> middle(costs.node_count());
    for (std::size_t v = 0; v < middle.size(); ++v) middle[v] = (labels.greatest[v] + labels.least[v]) / 2;

    RandomStream random(0);
    const auto order = walk_order(costs, WalkOrder::bisection, random);
    std::optional<Positions> best;
    std::optional<Diagnostic> why;
    ChipSolver solver(strict);
    const auto try_label = [&](const std::vector<std::uint32_t>& label, std::size_t usable) {
        Positions tried{.usable = usable, .of_node = positions_by(costs, label), .chips = {}, .period = {}};
        Assignment candidate(costs.node_count());
        for (std::size_t v = 0; v < candidate.size(); ++v) {
            const double chip = std::floor(static_cast<double>(tried.of_node[v]) * static_cast<double>(usable));
            candidate[v] = static_cast<std::uint8_t>(std::clamp(chip, 0.0, static_cast<double>(usable - 1)));
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
    if (strict.rules.adjacent != problem.rules.adjacent && why->kind == DiagnosticKind::infeasible) why->kind = DiagnosticKind::stopped;
    return fail(*std::move(why));
}

}  // namespace sluice::mcm::policy
