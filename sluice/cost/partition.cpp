#include "sluice/cost/partition.hpp"

#include <algorithm>
#include <cassert>
#include <format>
#include <functional>
#include <limits>
#include <optional>
#include <queue>

namespace sluice::cost {

namespace {

constexpr std::size_t kNamed = 8;  // how many of one kind a diagnostic lists

/// "node 7 (operators 12, 13)": what the user knows is the operator. A problem made by hand may have no operators.
std::string name_of(const StageProblem& problem, NodeId node) {
    if (node.index() >= problem.operators.size() || problem.operators[node.index()].empty()) return std::format("node {}", node.index());
    const auto operators = problem.operators[node.index()];
    std::string text = std::format("node {} (operator{} {}", node.index(), operators.size() == 1 ? "" : "s", operators[0].index());
    for (std::size_t i = 1; i < std::min(operators.size(), kNamed); ++i) text += std::format(", {}", operators[i].index());
    return text + (operators.size() > kNamed ? std::format(" and {} more)", operators.size() - kNamed) : ")");
}

std::string list_of(const StageProblem& problem, std::span<const NodeId> nodes) {
    std::string text;
    for (std::size_t i = 0; i < std::min(nodes.size(), kNamed); ++i) text += (i ? ", " : "") + name_of(problem, nodes[i]);
    return text + (nodes.size() > kNamed ? std::format(" and {} more", nodes.size() - kNamed) : "");
}

/// The first stage that holds each node.
std::vector<std::size_t> stage_of_nodes(const StageProblem& problem, const Partition& partition) {
    std::vector<std::size_t> stage_of(problem.node_count(), kNoStage);
    for (std::size_t s = partition.stages.size(); s-- > 0;)
        for (NodeId node : partition.stages[s].nodes)
            if (node.index() < problem.node_count()) stage_of[node.index()] = s;
    return stage_of;
}

struct Successor {
    std::size_t to;
    NodeId producer, consumer;  // why: the first such pair
};

/// The quotient: per stage, its distinct successors, ascending.
std::vector<std::vector<Successor>> stage_graph(const StageProblem& problem, const Partition& partition,
                                                std::span<const std::size_t> stage_of) {
    std::vector<std::vector<Successor>> successors(partition.stages.size());
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        if (stage_of[v] == kNoStage) continue;
        for (NodeId next : problem.successors[v])
            if (stage_of[next.index()] != kNoStage && stage_of[next.index()] != stage_of[v])
                successors[stage_of[v]].push_back({stage_of[next.index()], NodeId(v), next});
    }
    for (auto& row : successors) {
        std::ranges::stable_sort(row, {}, &Successor::to);
        row.erase(std::ranges::unique(row, {}, &Successor::to).begin(), row.end());
    }
    return successors;
}

/// A topological order of the stage graph, smallest number first among the ready; shorter than the graph when it has a cycle.
std::vector<std::size_t> order_of(const std::vector<std::vector<Successor>>& successors) {
    std::vector<std::size_t> waiting(successors.size()), order;
    for (const auto& row : successors)
        for (const Successor& edge : row) ++waiting[edge.to];
    std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
    for (std::size_t s = 0; s < successors.size(); ++s)
        if (waiting[s] == 0) ready.push(s);
    while (!ready.empty()) {
        const std::size_t s = ready.top();
        ready.pop();
        order.push_back(s);
        for (const Successor& edge : successors[s])
            if (--waiting[edge.to] == 0) ready.push(edge.to);
    }
    return order;
}

/// Names one cycle of a stage graph that has one: walks back along stages that are not in `order` until a stage repeats.
Diagnostic cycle_of(const StageProblem& problem, const std::vector<std::vector<Successor>>& successors,
                    std::span<const std::size_t> order) {
    std::vector<char> done(successors.size());
    for (std::size_t s : order) done[s] = 1;
    // Every stage left has a predecessor that is left.
    std::vector<std::size_t> from(successors.size(), kNoStage);
    std::vector<Successor> by(successors.size());
    for (std::size_t s = successors.size(); s-- > 0;)
        for (const Successor& edge : successors[s])
            if (!done[s] && !done[edge.to]) {
                from[edge.to] = s;
                by[edge.to] = edge;
            }
    std::size_t at = static_cast<std::size_t>(std::ranges::find(done, char{0}) - done.begin());
    std::vector<char> seen(successors.size());
    while (!seen[at]) {
        seen[at] = 1;
        at = from[at];
    }
    std::vector<std::size_t> cycle{at};
    for (std::size_t s = from[at]; s != at; s = from[s]) cycle.push_back(s);
    cycle.push_back(at);
    std::ranges::reverse(cycle);
    std::string text = std::format("the stage graph has a cycle: stage {}", cycle[0]);
    Diagnostic diagnostic = verification_error("");
    for (std::size_t i = 1; i < cycle.size(); ++i) {
        text += std::format(" -> {}", cycle[i]);
        const Successor& edge = by[cycle[i]];
        if (i <= kNamed)
            diagnostic.notes.push_back(std::format("{} of stage {} feeds {} of stage {}", name_of(problem, edge.producer), cycle[i - 1],
                                                   name_of(problem, edge.consumer), cycle[i]));
    }
    diagnostic.message = std::move(text);
    return diagnostic;
}

/// Nodes that do not exist or are there twice.
std::vector<Diagnostic> node_faults(const StageProblem& problem, const Partition& partition) {
    std::vector<Diagnostic> faults;
    std::vector<std::size_t> stage_of(problem.node_count(), kNoStage);
    for (std::size_t s = 0; s < partition.stages.size(); ++s)
        for (NodeId node : partition.stages[s].nodes) {
            if (node.index() >= problem.node_count())
                faults.push_back(verification_error(
                    node.valid() ? std::format("stage {} holds node {}; the problem has {}", s, node.index(), problem.node_count())
                                 : std::format("stage {} holds an operator that is no part of the problem", s)));
            else if (stage_of[node.index()] == s)
                faults.push_back(verification_error(std::format("{} is twice in stage {}", name_of(problem, node), s)));
            else if (stage_of[node.index()] != kNoStage)
                faults.push_back(
                    verification_error(std::format("{} is in stages {} and {}", name_of(problem, node), stage_of[node.index()], s)));
            else
                stage_of[node.index()] = s;
        }
    return faults;
}

void check_device(const StageProblem& problem, const Stage& stage, std::size_t s, std::vector<Diagnostic>& faults) {
    const DeviceCosts& device = problem.classes[stage.device.index()];
    std::vector<NodeId> unsupported;
    for (NodeId node : stage.nodes)
        if (!device.supported.contains(node.index())) unsupported.push_back(node);
    if (!unsupported.empty())
        faults.push_back(verification_error(std::format("stage {} cannot run on a '{}': {} of its {} nodes are not supported there", s,
                                                        device.name, unsupported.size(), stage.nodes.size()))
                             .note(list_of(problem, unsupported)));
    if (device.overflow != Overflow::hard) return;
    const StageTerms terms = stage_terms(problem, stage.nodes, stage.device);
    if (fits(device, terms)) return;
    Diagnostic diagnostic =
        verification_error(std::format("stage {} needs {}, a '{}' has {}", s, to_text(terms.parameters + terms.peak), device.name,
                                       to_text(device.fast_memory)))
            .note(std::format("parameters {}, activations alive at once {}", to_text(terms.parameters), to_text(terms.peak)))
            .fix("use more stages, or a device with more memory");
    const auto weight_of = [&](NodeId node) {
        Bytes sum;
        for (WeightId weight : problem.weights[node.index()]) sum += problem.weight_bytes[weight.index()];
        return sum;
    };
    const NodeId heaviest = *std::ranges::max_element(stage.nodes, {}, weight_of);
    if (weight_of(heaviest) > Bytes{})
        diagnostic.notes.push_back(
            std::format("{} of the parameters are those of {}", to_text(weight_of(heaviest)), name_of(problem, heaviest)));
    faults.push_back(std::move(diagnostic));
}

void check_counts(const StageProblem& problem, const Partition& partition, std::int64_t stages, std::vector<Diagnostic>& faults) {
    std::vector<std::int64_t> used(problem.classes.size());
    std::optional<std::int64_t> total = 0;
    for (std::size_t s = 0; s < partition.stages.size(); ++s) {
        const Stage& stage = partition.stages[s];
        if (stage.device.index() >= problem.classes.size()) {
            faults.push_back(verification_error(
                std::format("stage {} is on device class {}; the platform has {}", s, stage.device.index(), problem.classes.size())));
            continue;
        }
        if (stage.replicas < 1) {
            faults.push_back(verification_error(std::format("stage {} has {} replicas; it needs at least 1", s, stage.replicas)));
            continue;
        }
        auto& count = used[stage.device.index()];
        total = total ? checked_add(*total, stage.replicas) : std::nullopt;
        count = checked_add(count, stage.replicas).value_or(std::numeric_limits<std::int64_t>::max());
    }
    if (stages > 0 && (!total || *total > stages))
        faults.push_back(verification_error(std::format("{} stages on {} devices; at most {} are allowed", partition.stages.size(),
                                                        total ? std::to_string(*total) : "too many", stages)));
    for (std::size_t c = 0; c < used.size(); ++c)
        if (used[c] > problem.classes[c].count)
            faults.push_back(verification_error(std::format("{} devices of class '{}' are used; there are {}", used[c],
                                                            problem.classes[c].name, problem.classes[c].count)));
}

}  // namespace

PartitionCost price(const StageProblem& problem, const Partition& partition) {
    PartitionCost cost;
    const auto stage_of = stage_of_nodes(problem, partition);
    const auto successors = stage_graph(problem, partition, stage_of);
    std::vector<Duration> arrival(partition.stages.size(), Duration{0});
    for (std::size_t s = 0; s < partition.stages.size(); ++s) {
        const Stage& stage = partition.stages[s];
        assert(stage.replicas >= 1);
        const StageTerms terms = stage_terms(problem, stage.nodes, stage.device);
        const Duration time = stage_time(problem.model, terms);
        const Duration end = arrival[s] + time;
        const Duration share{time.count() / stage.replicas + (time.count() % stage.replicas != 0)};
        cost.bottleneck = std::max(cost.bottleneck, share);
        cost.latency = std::max(cost.latency, end);
        cost.peak_memory = std::max(cost.peak_memory, terms.parameters + terms.peak);
        for (const Successor& edge : successors[s]) arrival[edge.to] = std::max(arrival[edge.to], end);
        cost.stages.push_back(terms);
    }
    return cost;
}

std::vector<Diagnostic> faults_of(const StageProblem& problem, const Partition& partition, std::int64_t stages) {
    std::vector<Diagnostic> faults = node_faults(problem, partition);
    const bool nodes_sound = faults.empty();
    const auto stage_of = stage_of_nodes(problem, partition);
    std::vector<NodeId> missing;
    for (std::size_t v = 0; v < problem.node_count(); ++v)
        if (stage_of[v] == kNoStage) missing.push_back(NodeId(v));
    if (!missing.empty())
        faults.push_back(verification_error(std::format("{} of {} nodes are in no stage", missing.size(), problem.node_count()))
                             .note(list_of(problem, missing)));

    check_counts(problem, partition, stages, faults);
    for (std::size_t s = 0; s < partition.stages.size(); ++s) {
        const Stage& stage = partition.stages[s];
        if (stage.nodes.empty()) faults.push_back(verification_error(std::format("stage {} is empty", s)));
        // Terms of a stage with a node twice, or with one that does not exist, mean nothing.
        if (nodes_sound && !stage.nodes.empty() && stage.device.index() < problem.classes.size()) check_device(problem, stage, s, faults);
    }

    std::vector<std::size_t> position(problem.node_count(), kNoStage);
    for (const Stage& stage : partition.stages)
        for (std::size_t i = 0; i < stage.nodes.size(); ++i)
            if (stage.nodes[i].index() < problem.node_count()) position[stage.nodes[i].index()] = i;
    for (std::size_t v = 0; v < problem.node_count() && nodes_sound; ++v)
        for (NodeId next : problem.successors[v])
            if (stage_of[v] != kNoStage && stage_of[v] == stage_of[next.index()] && position[v] > position[next.index()])
                faults.push_back(verification_error(std::format("stage {} runs {} before {}, which it reads", stage_of[v],
                                                                name_of(problem, next), name_of(problem, NodeId(v)))));

    const auto successors = stage_graph(problem, partition, stage_of);
    const auto order = order_of(successors);
    if (order.size() < successors.size()) {
        faults.push_back(cycle_of(problem, successors, order));
    } else {
        for (std::size_t s = 0; s < successors.size(); ++s)
            for (const Successor& edge : successors[s])
                if (edge.to < s)
                    faults.push_back(
                        verification_error(std::format("stage {} comes before stage {}, which feeds it", edge.to, s))
                            .note(std::format("{} feeds {}", name_of(problem, edge.producer), name_of(problem, edge.consumer))));
    }
    return faults;
}

Result<Partition> normalise(const StageProblem& problem, Partition partition) {
    if (auto faults = node_faults(problem, partition); !faults.empty()) return fail(std::move(faults.front()));
    std::erase_if(partition.stages, [](const Stage& stage) { return stage.nodes.empty(); });
    const auto stage_of = stage_of_nodes(problem, partition);
    const auto successors = stage_graph(problem, partition, stage_of);
    const auto order = order_of(successors);
    if (order.size() < successors.size()) return fail(cycle_of(problem, successors, order));
    Partition sorted;
    sorted.stages.reserve(order.size());
    for (std::size_t s : order) {
        sorted.stages.push_back(std::move(partition.stages[s]));
        std::ranges::sort(sorted.stages.back().nodes);
    }
    return sorted;
}

}  // namespace sluice::cost
