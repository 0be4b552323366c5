// Training plans of one model for several mini-batches, micro-batches and platforms. A plan of a case before that holds for this one (the
// same mini-batch, more devices, more memory) is where this one starts, so that more of either is never worse. Time is shared evenly by
// what is left to do. Deterministic under Limits::evaluations, which each case gets anew.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "sluice/graph/graph.hpp"
#include "sluice/solve/training.hpp"

namespace sluice::solve {

struct TrainingCase {
    std::int64_t mini_batch = 1;
    std::optional<std::int64_t> micro_batch = {};  // this one alone
    platform::Platform platform;
};

struct TrainingSweepPoint {
    TrainingCase of;
    std::optional<cost::FrozenTraining> frozen = {};
    TrainingSolveOptions options = {};  // as this case was solved
    std::optional<TrainingSolveResult> result = {};
    std::optional<Diagnostic> failure = {};  // why there is none
};

/// What all cases share.
struct TrainingSubject {
    const graph::Graph* graph = nullptr;
    const cost::MeasuredCosts* costs = nullptr;
    cost::Optimizer optimizer = cost::Optimizer::adam;
};

/// `options` are those of all cases. `observer_for` is called before each, with its place. Interrupted: the points so far.
[[nodiscard]] std::vector<TrainingSweepPoint> sweep_training(const TrainingSubject& subject, std::span<const TrainingCase> cases,
                                                             const TrainingSolveOptions& options,
                                                             const std::function<Observer&(std::size_t)>& observer_for,
                                                             const Limits& limits);

}  // namespace sluice::solve
