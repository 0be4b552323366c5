#include "sluice/training/peers/cuts.hpp"

#include <algorithm>

#include "sluice/search/cones.hpp"
#include "sluice/search/downsets.hpp"

namespace sluice::training {

std::vector<NodeId> Cuts::between(std::size_t a, std::size_t b) const {
    graph::NodeSet stage = sets[b];
    stage -= sets[a];
    std::vector<NodeId> nodes;
    stage.for_each([&](std::size_t v) { nodes.emplace_back(v); });
    return nodes;
}

bool crosses(const CutTensor& tensor, const graph::NodeSet& below) {
    return below.contains(tensor.from.index()) &&
           !std::ranges::all_of(tensor.to, [&](NodeId reader) { return below.contains(reader.index()); });
}

std::vector<std::size_t> first_cuts(const Cuts& chain) {
    std::vector<std::size_t> first(chain.sets.back().universe());
    for (std::size_t c = 1; c < chain.count(); ++c)
        for (const NodeId node : chain.between(c - 1, c)) first[node.index()] = c;
    return first;
}

std::optional<Cuts> downset_cuts(const Rows<NodeId>& predecessors, std::size_t most, const graph::NodeSet& joining) {
    graph::NodeSet free(predecessors.size());
    for (std::size_t v = 0; v < predecessors.size(); ++v)
        if (!joining.contains(v)) free.insert(v);
    auto downsets = search::downsets_of(predecessors, most, free);
    if (!downsets) return std::nullopt;
    Cuts cuts;
    cuts.sets.reserve(downsets->size() + 1);
    cuts.sets.emplace_back(predecessors.size());
    std::ranges::move(*downsets, std::back_inserter(cuts.sets));
    return cuts;
}

Cuts prefix_cuts(std::span<const NodeId> order) {
    Cuts cuts{.sets = {graph::NodeSet(order.size())}, .chain = true};
    cuts.sets.reserve(order.size() + 1);
    for (const NodeId node : order) {
        cuts.sets.push_back(cuts.sets.back());
        cuts.sets.back().insert(node.index());
    }
    return cuts;
}

std::vector<NodeId> linear_order(const Rows<NodeId>& predecessors, const Rows<NodeId>& successors, std::span<const std::int64_t> work) {
    const std::vector<std::int64_t> cones = search::cone_work(predecessors, work, true);
    return search::heavy_first_post_order(predecessors, successors, std::span<const std::int64_t>(cones), true);
}

graph::NodeSet free_nodes(const cost::TrainingProblem& problem) {
    const cost::StageProblem& structure = problem.structure;
    graph::NodeSet free(problem.node_count());
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        const auto works = [&](const cost::TrainingDevice& device) {
            return std::ranges::any_of(device.passes[v], [](const auto& passes) { return passes.at(1).total().count() > 0; });
        };
        const auto joins = [&](NodeId before) { return free.contains(before.index()); };
        if (structure.weights[v].empty() && std::ranges::all_of(structure.predecessors[v], joins) &&
            std::ranges::none_of(problem.classes, works))
            free.insert(v);
    }
    return free;
}

}  // namespace sluice::training
