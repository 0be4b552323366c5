#include "sluice/bound/triangle.hpp"

#include <algorithm>

#include "sluice/bound/ascent.hpp"
#include "sluice/bound/relaxation.hpp"

namespace sluice::bound {

namespace {

constexpr std::size_t kMostSteps = 400'000'000;  // over nodes and what they feed; beyond, the best so far

struct Pair {
    Wide most = 0;  // work of all nodes numbered from one to the other
    NodeId from, to;
};

/// By falling `most`; those of which nothing lies between are left out.
std::vector<Pair> pairs_of(const cost::StageProblem& problem, const Relaxation& relaxation) {
    std::vector<Wide> until(problem.node_count() + 1, 0);
    for (std::size_t v = 0; v < problem.node_count(); ++v) until[v + 1] = until[v] + relaxation.work[v];
    std::vector<Pair> pairs;
    for (std::size_t v = 0; v < problem.node_count(); ++v)
        for (const NodeId next : problem.successors[v])
            if (next.index() > v + 1) pairs.push_back({until[next.index() + 1] - until[v], NodeId(v), next});
    std::ranges::stable_sort(pairs, std::greater(), &Pair::most);
    return pairs;
}

/// Nodes are numbered in a topological order.
class Between {
public:
    Between(const cost::StageProblem& problem, const Relaxation& relaxation)
        : problem_(problem), relaxation_(relaxation), after_(problem.node_count(), 0), before_(problem.node_count(), 0) {}

    [[nodiscard]] Wide work(NodeId from, NodeId to) {
        ++mark_;
        steps_ += 2 * (to.index() - from.index());
        after_[from.index()] = before_[to.index()] = mark_;
        for (std::size_t v = from.index(); v < to.index(); ++v)
            if (after_[v] == mark_)
                for (const NodeId next : problem_.successors[v]) after_[next.index()] = mark_;
        Wide sum = 0;
        for (std::size_t v = to.index() + 1; v-- > from.index();) {
            if (before_[v] != mark_ || after_[v] != mark_) continue;
            sum += relaxation_.work[v];
            for (const NodeId previous : problem_.predecessors[v]) before_[previous.index()] = mark_;
        }
        return sum;
    }

    [[nodiscard]] std::size_t steps() const { return steps_; }

private:
    const cost::StageProblem& problem_;
    const Relaxation& relaxation_;
    std::vector<std::size_t> after_, before_;  // the pair that marked it last
    std::size_t mark_ = 0, steps_ = 0;
};

}  // namespace

Raised raise_by_triangles(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits,
                          Duration floor) {
    Ascent ascent(problem, options, observer, limits, floor, "triangle");
    const Relaxation relaxation = relax(problem, options.stages, options.max_replicas);
    Between between(problem, relaxation);
    const Wide two = 2 * Wide{relaxation.replicas};
    std::optional<Pair> best;  // its `most`: of what does lie between
    for (const Pair& pair : pairs_of(problem, relaxation)) {
        if ((best && pair.most <= best->most) || ceil_divide(pair.most, two) <= ascent.best().count() || ascent.ended() ||
            between.steps() > kMostSteps)
            break;
        ascent.count_evaluation();
        if (const Wide work = between.work(pair.from, pair.to); !best || work > best->most) best = Pair{work, pair.from, pair.to};
    }
    if (best) ascent.prove(Duration{static_cast<std::int64_t>(ceil_divide(best->most, two))}, TriangleWitness{best->from, best->to});
    (void)ascent.ended();
    return {ascent.take(), ascent.termination()};
}

}  // namespace sluice::bound
