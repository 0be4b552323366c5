#include "sluice/inference/pipedream.hpp"

#include <algorithm>
#include <format>
#include <limits>

#include "sluice/base/wide.hpp"
#include "sluice/graph/reachability.hpp"
#include "sluice/inference/incumbent.hpp"
#include "sluice/inference/splits.hpp"
#include "sluice/search/downsets.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::inference {

namespace {

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

/// States in a topological order, state 0 the empty downset. Work and cut of each.
struct States {
    std::vector<std::int64_t> work, cut;
    std::vector<graph::NodeSet> sets;  // empty: state i is the first i nodes
    [[nodiscard]] std::size_t count() const { return work.size(); }
};

std::int64_t cut_of(const cost::StageProblem& problem, const graph::NodeSet& set) {
    std::int64_t cut = 0;
    for (std::size_t e = 0; e < problem.edge_count(); ++e)
        if (problem.producer[e].valid() && set.contains(problem.producer[e].index()) &&
            std::ranges::any_of(problem.consumers[e], [&](NodeId reader) { return !set.contains(reader.index()); }))
            cut += problem.transfer[e].count();
    return cut;
}

States states_of(const cost::StageProblem& problem, std::vector<graph::NodeSet> downsets) {
    States states;
    states.sets.emplace_back(problem.node_count());
    std::ranges::move(downsets, std::back_inserter(states.sets));
    for (const graph::NodeSet& set : states.sets) {
        std::int64_t work = 0;
        set.for_each([&](std::size_t v) { work += fastest_work(problem, v).count(); });
        states.work.push_back(work);
        states.cut.push_back(cut_of(problem, set));
    }
    return states;
}

States prefixes_of(const cost::StageProblem& problem) {
    const std::size_t n = problem.node_count();
    States states;
    states.work.assign(n + 1, 0);
    states.cut.assign(n + 1, 0);
    for (std::size_t v = 0; v < n; ++v) states.work[v + 1] = states.work[v] + fastest_work(problem, v).count();
    for (std::size_t e = 0; e < problem.edge_count(); ++e) {
        if (!problem.producer[e].valid() || problem.consumers[e].empty()) continue;
        // Alive from behind its producer to before its last reader.
        states.cut[problem.producer[e].index() + 1] += problem.transfer[e].count();
        states.cut[problem.consumers[e].back().index() + 1] -= problem.transfer[e].count();
    }
    for (std::size_t i = 0; i < n; ++i) states.cut[i + 1] += states.cut[i];
    return states;
}

/// Best way to reach a state with so many devices.
struct Cell {
    std::int64_t worst = kNone;
    std::uint32_t from = 0;
    std::uint32_t replicas = 0;
};

}  // namespace

graph::NodeSet descendants_of_one_source(const cost::StageProblem& problem) {
    const auto descendants = graph::descendants(problem.successors);
    std::size_t source = 0, most = 0;
    for (std::size_t v = 0; v < problem.node_count(); ++v)
        if (problem.predecessors[v].empty() && descendants[v].count() > most) source = v, most = descendants[v].count();
    graph::NodeSet free = descendants[source];
    free.insert(source);
    return free;
}

namespace {

/// The best split whose stages lie between states; nullopt: stopped by the limits.
std::optional<PipedreamSplit> split_of(const cost::StageProblem& problem, const States& states, std::int64_t devices,
                                       std::int64_t max_replicas, const Limits& limits) {
    PipedreamSplit split;
    split.states = states.count() - 1;
    split.chain = states.sets.empty();
    const auto d = static_cast<std::size_t>(devices);
    const auto r = static_cast<std::size_t>(std::clamp<std::int64_t>(max_replicas, 1, devices));
    std::vector<Cell> cells(states.count() * (d + 1));
    const auto at = [&](std::size_t state, std::size_t used) -> Cell& { return cells[state * (d + 1) + used]; };
    at(0, 0).worst = 0;
    std::vector<char> below(states.count());  // of the sets: i is a subset of j
    for (std::size_t j = 1; j < states.count(); ++j) {
        if (search::must_stop(limits)) return std::nullopt;
        if (!states.sets.empty())
            for (std::size_t i = 0; i < j; ++i) below[i] = states.sets[j].contains(states.sets[i]);
        const auto extend = [&](std::size_t i, std::size_t used) {
            const std::int64_t cost = std::max({states.work[j] - states.work[i], states.cut[i], states.cut[j]});
            Cell& cell = at(j, used);
            for (std::size_t replicas = 1; replicas <= std::min(r, used); ++replicas) {
                const Cell& before = at(i, used - replicas);
                if (before.worst == kNone) continue;
                const std::int64_t worst = std::max(before.worst, ceil_divide(cost, static_cast<std::int64_t>(replicas)));
                if (worst < cell.worst) cell = {worst, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(replicas)};
            }
        };
        for (std::size_t used = 1; used <= d; ++used)
            for (std::size_t i = j; i-- > 0;) {
                // Along a chain, stages only grow from here on.
                if (states.sets.empty() && ceil_divide(states.work[j] - states.work[i], static_cast<std::int64_t>(r)) >= at(j, used).worst)
                    break;
                if (states.sets.empty() || below[i]) extend(i, used);
            }
    }
    const std::size_t last = states.count() - 1;
    std::size_t used = 1;
    for (std::size_t u = 1; u <= d; ++u)
        if (at(last, u).worst < at(last, used).worst) used = u;
    split.bottleneck = Duration{at(last, used).worst};
    for (std::size_t j = last; j != 0;) {
        const Cell& cell = at(j, used);
        auto& stage = split.stages.emplace_back();
        for (std::size_t v = 0; v < problem.node_count(); ++v)
            if (states.sets.empty() ? v >= cell.from && v < j : states.sets[j].contains(v) && !states.sets[cell.from].contains(v))
                stage.emplace_back(v);
        split.replicas.push_back(cell.replicas);
        used -= cell.replicas;
        j = cell.from;
    }
    std::ranges::reverse(split.stages);
    std::ranges::reverse(split.replicas);
    return split;
}

}  // namespace

std::optional<PipedreamSplit> pipedream_split(const cost::StageProblem& problem, std::int64_t devices, std::int64_t max_replicas,
                                              const Limits& limits, std::size_t most_states) {
    graph::NodeSet all(problem.node_count());
    for (std::size_t v = 0; v < problem.node_count(); ++v) all.insert(v);
    if (auto downsets = search::downsets_of(problem.predecessors, most_states, all))
        return split_of(problem, states_of(problem, *std::move(downsets)), devices, max_replicas, limits);
    auto chain = split_of(problem, prefixes_of(problem), devices, max_replicas, limits);
    auto downsets = search::downsets_of(problem.predecessors, most_states, descendants_of_one_source(problem));
    if (!downsets) return chain;
    auto split = split_of(problem, states_of(problem, *std::move(downsets)), devices, max_replicas, limits);
    return !split || (chain && chain->bottleneck < split->bottleneck) ? chain : split;
}

Result<PlannerResult> plan_by_pipedream(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                        const Limits& limits) {
    if (auto checked = check_call(problem, options); !checked) return fail(std::move(checked.error()));
    Incumbent incumbent(problem, options, observer, limits, "split");
    const bool equal = problem.classes.size() == 1;
    // Replicas: as many devices as there are, even beyond one a node.
    const std::int64_t devices =
        equal && options.max_replicas > 1
            ? std::min({options.stages, problem.classes[0].count, options.max_replicas * static_cast<std::int64_t>(problem.node_count())})
            : usable_devices(problem, options.stages);
    std::string why = "the devices are none";
    if (devices >= 1) {
        auto split = pipedream_split(problem, devices, equal ? options.max_replicas : 1, limits);
        incumbent.count(1);
        if (!split) {
            [[maybe_unused]] const bool ended = incumbent.must_end();
            why = "PipeDream's planner was stopped before its end, and knows nothing before";
        } else {
            why = std::format("no choice of devices can hold PipeDream's split into {} stages", split->stages.size());
            if (auto partition = place_stages(problem, std::move(split->stages), split->replicas, devices))
                incumbent.offer(*std::move(partition),
                                std::format("PipeDream over {} {}", split->states, split->chain ? "prefixes" : "antichain states"));
        }
    }
    return std::move(incumbent).take(std::move(why));
}

}  // namespace sluice::inference
