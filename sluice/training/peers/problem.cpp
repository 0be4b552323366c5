#include "sluice/training/peers/problem.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace sluice::training {

namespace {

// Of more prefixes, the planners of chains get so many.
constexpr std::size_t kMostPrefixes = 400, kPrefixesPerDevice = 8;

std::vector<std::int64_t> at_first_users(const cost::TrainingProblem& problem, std::span<const Bytes> of_weights) {
    std::vector<std::int64_t> bytes(problem.node_count(), 0);
    for (std::size_t w = 0; w < of_weights.size(); ++w)
        if (const auto users = problem.structure.weight_users[w]; !users.empty()) bytes[users.front().index()] += of_weights[w].count;
    return bytes;
}

}  // namespace

std::vector<std::int64_t> parameter_bytes(const cost::TrainingProblem& problem) {
    return at_first_users(problem, problem.structure.weight_bytes);
}

std::vector<std::int64_t> state_bytes(const cost::TrainingProblem& problem) { return at_first_users(problem, problem.state); }

std::vector<CutTensor> tensors_between(const cost::TrainingProblem& problem, std::int64_t samples) {
    std::vector<CutTensor> tensors;
    const cost::StageProblem& structure = problem.structure;
    for (std::size_t e = 0; e < structure.edge_count(); ++e)
        if (structure.producer[e].valid() && !structure.consumers[e].empty())
            tensors.push_back({structure.producer[e],
                               {structure.consumers[e].begin(), structure.consumers[e].end()},
                               {(problem.activation[e] + problem.gradient[e]).count * samples},
                               {problem.activation[e].count * samples}});
    return tensors;
}

std::vector<std::int64_t> node_work(const cost::TrainingProblem& problem, ClassId device, std::int64_t samples) {
    std::vector<std::int64_t> work;
    for (const cost::PassTimes& times : pass_times(problem, device, samples)) work.push_back(times.total().count());
    return work;
}

std::vector<std::int64_t> crossing_of_order(const cost::TrainingProblem& problem, std::span<const NodeId> order) {
    const cost::StageProblem& structure = problem.structure;
    std::vector<std::size_t> place(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) place[order[i].index()] = i;
    std::vector<std::int64_t> crossing(order.size() + 1, 0);
    for (std::size_t e = 0; e < structure.edge_count(); ++e) {
        if (!structure.producer[e].valid() || structure.consumers[e].empty()) continue;
        std::size_t end = 0;
        for (const NodeId reader : structure.consumers[e]) end = std::max(end, place[reader.index()]);
        crossing[place[structure.producer[e].index()] + 1] += problem.activation[e].count;
        crossing[end + 1] -= problem.activation[e].count;
    }
    for (std::size_t i = 1; i < crossing.size(); ++i) crossing[i] += crossing[i - 1];
    return crossing;
}

std::optional<Cuts> cuts_to_try(const cost::TrainingProblem& problem, ClassId device, std::int64_t devices, std::size_t most, bool chain) {
    const cost::StageProblem& structure = problem.structure;
    if (!chain) {
        auto downsets = downset_cuts(structure.predecessors, most, free_nodes(problem));
        if (downsets && downsets->count() <= 2) downsets.reset();  // one stage, which the chain has
        return downsets;
    }
    const std::vector<std::int64_t> work = node_work(problem, device, 1);
    const std::vector<NodeId> order = linear_order(structure.predecessors, structure.successors, work);
    Cuts cuts = prefix_cuts(order);
    if (const auto wanted = std::max(kMostPrefixes, kPrefixesPerDevice * static_cast<std::size_t>(devices)); order.size() > wanted) {
        const std::vector<std::int64_t> crossing = crossing_of_order(problem, order);
        const std::int64_t part = std::accumulate(work.begin(), work.end(), std::int64_t{0}) / static_cast<std::int64_t>(wanted) + 1;
        std::vector<graph::NodeSet> kept{std::move(cuts.sets[0])};
        std::int64_t sum = 0;
        for (std::size_t i = 1, best = 1; i < order.size(); ++i) {
            // Cut i lies behind the node at i - 1.
            const std::int64_t before = sum;
            sum += work[order[i - 1].index()];
            if (before / part != sum / part && i > 1) {
                kept.push_back(std::move(cuts.sets[best]));
                best = i;
            } else if (crossing[i] < crossing[best]) {
                best = i;
            }
        }
        kept.push_back(std::move(cuts.sets.back()));
        cuts.sets = std::move(kept);
    }
    return cuts;
}

}  // namespace sluice::training
