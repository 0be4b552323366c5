#include "sluice/mcm/rewrite/usable_chips.hpp"

#include <algorithm>
#include <limits>

#include "sluice/base/distinct.hpp"

namespace sluice::mcm {

namespace {

constexpr std::uint32_t kUnseen = std::numeric_limits<std::uint32_t>::max();
/// Steps over an edge that the search for what blocks may take.
constexpr std::size_t kMostSpanSteps = 400'000'000;

class Span {
public:
    explicit Span(const cost::StageProblem& costs) : costs_(costs), distance_(costs.node_count()), before_(costs.node_count()) {
        find_parts();
    }

    /// 1 + the largest distance, over all parts. `handed_on`: an edge that holds none of its readers but the first; parts then may be of
    /// any length, up to the number of their nodes.
    std::size_t measure(EdgeId handed_on = {}) {
        freed_ = handed_on;
        std::vector<std::size_t> largest(parts_, 0);
        std::size_t widest = 0;
        for (const std::uint32_t source : sources_) {
            walk(source);
            for (const std::uint32_t v : reached_)
                if (distance_[v] > largest[part_[source]]) {
                    largest[part_[source]] = distance_[v];
                    if (!freed_.valid() && distance_[v] > widest) {
                        widest = distance_[v];
                        keep_path(v);
                    }
                }
            // Nothing holds the others back: the tensor was all that did.
            if (reached_.size() < size_[part_[source]]) largest[part_[source]] = size_[part_[source]] - 1;
        }
        std::size_t sum = 0;
        for (const std::size_t distance : largest) sum += distance + 1;
        return sum;
    }

    /// Nodes along the longest of the shortest ways, as the last measure without `handed_on` found it.
    [[nodiscard]] std::span<const std::uint32_t> path() const { return path_; }
    [[nodiscard]] std::size_t effort() const { return sources_.size() * (costs_.node_count() + 2 * costs_.successors.total()); }

private:
    void find_parts() {
        const std::size_t n = costs_.node_count();
        part_.assign(n, kUnseen);
        std::vector<std::uint32_t> open;
        for (std::uint32_t root = 0; root < n; ++root) {
            if (costs_.predecessors[root].empty()) sources_.push_back(root);
            if (part_[root] != kUnseen) continue;
            open.push_back(root);
            part_[root] = static_cast<std::uint32_t>(parts_);
            size_.push_back(0);
            while (!open.empty()) {
                const std::uint32_t v = open.back();
                open.pop_back();
                ++size_.back();
                for (const auto row : {costs_.predecessors[v], costs_.successors[v]})
                    for (const NodeId next : row)
                        if (part_[next.index()] == kUnseen) {
                            part_[next.index()] = static_cast<std::uint32_t>(parts_);
                            open.push_back(static_cast<std::uint32_t>(next.index()));
                        }
            }
            ++parts_;
        }
    }

    /// Forward steps from `v` that are allowed to cost one chip.
    template <typename F>
    void for_each_target(std::uint32_t v, F&& f) const {
        if (!freed_.valid() || costs_.producer[freed_.index()].index() != v) {
            for (const NodeId next : costs_.successors[v]) f(static_cast<std::uint32_t>(next.index()));
            return;
        }
        for (const EdgeId edge : costs_.outputs[v]) {
            const auto readers = costs_.consumers[edge.index()];
            for (const NodeId next : edge == freed_ ? readers.first(1) : readers) f(static_cast<std::uint32_t>(next.index()));
        }
    }

    /// Breadth first by distance: steps against an edge cost nothing and stay in this round.
    void walk(std::uint32_t source) {
        std::ranges::fill(distance_, kUnseen);
        reached_.clear();
        std::vector<std::uint32_t>& now = now_;
        now.assign(1, source);
        distance_[source] = 0;
        before_[source] = source;
        for (std::uint32_t round = 0; !now.empty(); ++round) {
            for (std::size_t i = 0; i < now.size(); ++i)
                for (const NodeId previous : costs_.predecessors[now[i]])
                    if (distance_[previous.index()] == kUnseen) {
                        distance_[previous.index()] = round;
                        before_[previous.index()] = now[i];
                        now.push_back(static_cast<std::uint32_t>(previous.index()));
                    }
            reached_.insert(reached_.end(), now.begin(), now.end());
            next_.clear();
            for (const std::uint32_t v : now)
                for_each_target(v, [&](std::uint32_t next) {
                    if (distance_[next] != kUnseen) return;
                    distance_[next] = round + 1;
                    before_[next] = v;
                    next_.push_back(next);
                });
            std::swap(now, next_);
        }
    }

    void keep_path(std::uint32_t v) {
        path_.assign(1, v);
        while (before_[v] != v) path_.push_back(v = before_[v]);
        std::ranges::reverse(path_);
    }

    const cost::StageProblem& costs_;
    EdgeId freed_;
    std::vector<std::uint32_t> sources_, part_, size_, distance_, before_, reached_, now_, next_, path_;
    std::size_t parts_ = 0;
};

/// As the solver takes up the difference form (chip_solver.hpp).
bool is_difference(const ChipProblem& problem) {
    const Rules& rules = problem.rules;
    if (!rules.acyclic) return false;
    if (rules.adjacent || problem.chips <= 2) return true;
    if (!rules.no_skip || !rules.triangle) return false;
    for (std::size_t v = 0; v + 1 < problem.node_count(); ++v)
        if (!std::ranges::contains(problem.costs->successors[v], NodeId(v + 1))) return false;
    return true;
}

void price(const cost::StageProblem& costs, NodeId maker, EdgeId edge, BlockingTensor& blocking) {
    blocking.tensor = costs.tensor[edge.index()];
    blocking.readers = costs.consumers[edge.index()].size();
    blocking.relay = costs.transfer[edge.index()];
    const auto& work = costs.classes.front().work;
    blocking.recompute = work[maker.index()];
    std::vector<NodeId> cone{maker};
    std::vector<char> seen(costs.node_count(), 0);
    std::vector<WeightId> weights;
    seen[maker.index()] = 1;
    for (std::size_t i = 0; i < cone.size(); ++i) {
        const std::size_t v = cone[i].index();
        blocking.clone += work[v];
        weights.insert(weights.end(), costs.weights[v].begin(), costs.weights[v].end());
        for (const NodeId before : costs.predecessors[v])
            if (!std::exchange(seen[before.index()], 1)) cone.push_back(before);
    }
    keep_distinct(weights);
    for (const WeightId weight : weights) blocking.clone_parameters += costs.weight_bytes[weight.index()];
}

/// The edge with the most work between its producer and its readers, these included: chips d and d + 1 hold all of it.
struct Tightest {
    EdgeId edge;
    Duration between{0};
};
Tightest find_tightest(const cost::StageProblem& costs) {
    const auto& work = costs.classes.front().work;
    std::vector<std::pair<std::size_t, EdgeId>> edges;  // how far apart in the order; those of one reader hold nothing else
    for (std::size_t e = 0; e < costs.edge_count(); ++e)
        if (costs.producer[e].valid() && costs.consumers[e].size() > 1)
            edges.emplace_back(costs.consumers[e].back().index() - costs.producer[e].index(), EdgeId(e));
    std::ranges::sort(edges, [](const auto& a, const auto& b) { return std::pair(b.first, a.second) < std::pair(a.first, b.second); });
    std::vector<std::uint32_t> after(costs.node_count(), 0), before(costs.node_count(), 0);  // the edge that marked it last, from 1 on
    Tightest tightest;
    std::size_t steps = 0;
    for (std::uint32_t mark = 1; mark <= edges.size() && steps < kMostSpanSteps; ++mark) {
        const EdgeId edge = edges[mark - 1].second;
        const std::size_t first = costs.producer[edge.index()].index(), last = first + edges[mark - 1].first;
        after[first] = mark;
        for (std::size_t v = first; v <= last; ++v) {
            if (after[v] != mark) continue;
            for (const NodeId next : costs.successors[v]) after[next.index()] = mark;
            steps += costs.successors[v].size();
        }
        for (const NodeId reader : costs.consumers[edge.index()]) before[reader.index()] = mark;
        Duration between{0};
        for (std::size_t v = last + 1; v-- > first;) {
            if (before[v] != mark || after[v] != mark) continue;
            between += work[v];
            for (const NodeId previous : costs.predecessors[v]) before[previous.index()] = mark;
            steps += costs.predecessors[v].size();
        }
        if (between > tightest.between) tightest = {edge, between};
    }
    return tightest;
}

std::optional<BlockingTensor> find_blocking(Span& span, const ChipProblem& problem, std::size_t without) {
    const cost::StageProblem& costs = *problem.costs;
    const std::vector<std::uint32_t> path(span.path().begin(), span.path().end());
    std::vector<std::pair<std::uint32_t, EdgeId>> candidates;  // how far its readers are apart in the order; the edge
    for (std::size_t i = 0; i + 1 < path.size(); ++i)
        for (const EdgeId edge : costs.outputs[path[i]]) {
            const auto readers = costs.consumers[edge.index()];
            if (readers.size() < 2 || !std::ranges::contains(readers, NodeId(path[i + 1]))) continue;
            candidates.emplace_back(static_cast<std::uint32_t>(readers.back().index() - readers.front().index()), edge);
        }
    std::ranges::sort(candidates, [](const auto& a, const auto& b) { return std::pair(b.first, a.second) < std::pair(a.first, b.second); });
    const std::size_t most = std::max<std::size_t>(1, kMostSpanSteps / std::max<std::size_t>(1, span.effort()));
    if (candidates.size() > most) candidates.resize(most);
    std::optional<BlockingTensor> best;
    for (const auto& [apart, edge] : candidates) {
        const std::size_t usable = std::min({problem.chips, costs.node_count(), std::max(without, span.measure(edge))});
        if (best && usable <= best->usable_without) continue;
        best.emplace();
        best->usable_without = usable;
        price(costs, costs.producer[edge.index()], edge, *best);
    }
    return best;
}

}  // namespace

UsableChips usable_chips(const ChipProblem& problem) {
    const cost::StageProblem& costs = *problem.costs;
    const Rules& rules = problem.rules;
    Duration total{0}, largest{0};
    for (const Duration work : costs.classes.front().work) {
        total += work;
        largest = std::max(largest, work);
    }
    const auto chips = static_cast<std::int64_t>(problem.chips);
    Duration least = std::max(largest, (total + Duration{chips - 1}) / chips);
    const auto worth = [&] { return least > Duration{0} ? static_cast<double>(total.count()) / static_cast<double>(least.count()) : 1; };
    UsableChips usable;
    if (!rules.adjacent && (rules.relay || (!rules.triangle && problem.chips > 2))) {  // any order, cut anywhere
        usable.span = problem.node_count();
        usable.chips = std::min(problem.chips, usable.span);
        usable.exact = rules.acyclic;
        usable.worth = worth();
        return usable;
    }
    Span span(costs);
    usable.span = span.measure();
    usable.chips = std::min(problem.chips, usable.span);
    usable.exact = usable.chips == problem.chips || is_difference(problem);
    const Tightest tightest = find_tightest(costs);
    if (const Duration half = (tightest.between + Duration{1}) / 2; half > least && problem.chips > 1) {
        least = half;
        usable.blocking.emplace();
        price(costs, costs.producer[tightest.edge.index()], tightest.edge, *usable.blocking);
        const std::size_t handed_on = std::max(usable.span, span.measure(tightest.edge));
        usable.blocking->usable_without = std::min({problem.chips, costs.node_count(), handed_on});
        usable.blocking->between = tightest.between;
    } else if (usable.span < problem.chips) {
        usable.blocking = find_blocking(span, problem, usable.span);
    }
    usable.worth = worth();
    return usable;
}

}  // namespace sluice::mcm
