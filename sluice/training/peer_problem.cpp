#include "sluice/training/peer_problem.hpp"

#include <utility>

namespace sluice::training {

namespace {

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

std::vector<Cuts> cuts_to_try(const cost::TrainingProblem& problem, ClassId device, std::size_t most) {
    const cost::StageProblem& structure = problem.structure;
    std::vector<Cuts> list;
    list.push_back(prefix_cuts(linear_order(structure.predecessors, structure.successors, node_work(problem, device, 1))));
    if (auto downsets = downset_cuts(structure.predecessors, most, free_nodes(problem)))
        if (downsets->count() > 2) list.push_back(*std::move(downsets));
    return list;
}

}  // namespace sluice::training
