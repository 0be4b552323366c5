#include "sluice/solve/training_sweep.hpp"

#include <algorithm>

#include "sluice/solve/sweep.hpp"

namespace sluice::solve {

namespace {

/// The fastest plan of those before that is one of this case too.
std::optional<cost::TrainingPartition> start_of(const cost::TrainingProblem& problem, const TrainingCase& of,
                                                std::span<const TrainingSweepPoint> before) {
    const TrainingRow* best = nullptr;
    for (const TrainingSweepPoint& point : before) {
        if (!point.result || point.of.mini_batch != of.mini_batch) continue;
        const TrainingRow& found = point.result->found;
        if (best != nullptr && best->iteration <= found.iteration) continue;
        const auto& stages = found.partition.stages;
        if (of.micro_batch && !std::ranges::all_of(stages, [&](const auto& stage) { return stage.micro_batch == *of.micro_batch; }))
            continue;
        if (cost::faults_of(problem, found.partition).empty()) best = &found;
    }
    return best != nullptr ? std::optional(best->partition) : std::nullopt;
}

}  // namespace

std::vector<TrainingSweepPoint> sweep_training(const TrainingSubject& subject, std::span<const TrainingCase> cases,
                                               const TrainingSolveOptions& options,
                                               const std::function<Observer&(std::size_t)>& observer_for, const Limits& limits) {
    std::vector<TrainingSweepPoint> points;
    for (std::size_t i = 0; i < cases.size() && !limits.interrupted(); ++i) {
        TrainingSweepPoint point{.of = cases[i], .options = options};
        point.options.planner.micro_batch = cases[i].micro_batch;
        auto frozen = cost::freeze_training(*subject.graph, cases[i].platform,
                                            {.mini_batch = cases[i].mini_batch, .optimizer = subject.optimizer}, subject.costs);
        if (frozen) {
            point.options.start = start_of(frozen->problem, cases[i], points);
            auto result = solve_training(frozen->problem, point.options, observer_for(i), share_of(limits, cases.size() - i));
            if (result)
                point.result = std::move(*result);
            else
                point.failure = std::move(result.error());
            point.frozen = std::move(*frozen);
        } else {
            point.failure = std::move(frozen.error());
        }
        points.push_back(std::move(point));
    }
    return points;
}

}  // namespace sluice::solve
