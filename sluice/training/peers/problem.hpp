// Private to this layer. A TrainingProblem as planners of equal devices and linear pipelines see it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/training/peers/candidates.hpp"
#include "sluice/training/peers/cuts.hpp"

namespace sluice::training {

/// Bytes that each node's parameters take, or their state: of a parameter with several users all at the first.
[[nodiscard]] std::vector<std::int64_t> parameter_bytes(const cost::TrainingProblem& problem);
[[nodiscard]] std::vector<std::int64_t> state_bytes(const cost::TrainingProblem& problem);

/// What nodes send to others, `samples` at a time.
[[nodiscard]] std::vector<CutTensor> tensors_between(const cost::TrainingProblem& problem, std::int64_t samples);

/// Forward and backward pass of every node.
[[nodiscard]] std::vector<std::int64_t> node_work(const cost::TrainingProblem& problem, ClassId device, std::int64_t samples);

/// Per position of a topological order, the bytes of one sample that cross a cut before it, forward; one more behind the last.
[[nodiscard]] std::vector<std::int64_t> crossing_of_order(const cost::TrainingProblem& problem, std::span<const NodeId> order);

/// `chain`: the prefixes of a linear order, of very many those with the least crossing among neighbours of about equal work. Otherwise all
/// downsets, where these are no more than `most` and give a choice.
[[nodiscard]] std::optional<Cuts> cuts_to_try(const cost::TrainingProblem& problem, ClassId device, std::int64_t devices, std::size_t most,
                                              bool chain);

}  // namespace sluice::training
