#include "sluice/training/evaluate.hpp"

#include <algorithm>
#include <bit>

#include "sluice/program/training_program.hpp"
#include "sluice/simulate/training.hpp"

namespace sluice::training {

Duration iteration_time(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition) {
    return *iteration_time(problem, partition, Limits{});
}

std::optional<Duration> iteration_time(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition,
                                       const Limits& limits) {
    const auto program = program::lower_training(problem, partition, limits);
    if (!program) return std::nullopt;
    const bool serial = problem.structure.model == cost::StageModel::serial;
    const auto result = simulate::simulate_training(*program, problem.interconnect, serial, {}, limits);
    if (!result) return std::nullopt;
    return result->iteration;
}

std::int64_t device_count(const cost::TrainingProblem& problem) {
    std::int64_t count = 0;
    for (const cost::DeviceCosts& device : problem.structure.classes) count += device.count;
    return count;
}

std::vector<std::int64_t> micro_batches(const cost::TrainingProblem& problem, bool powers) {
    const std::int64_t batch = problem.options.mini_batch;
    std::vector<std::int64_t> sizes;
    for (std::int64_t size = 1; size * size <= batch; ++size) {
        if (batch % size != 0) continue;
        sizes.push_back(size);
        if (size * size != batch) sizes.push_back(batch / size);
    }
    if (powers) std::erase_if(sizes, [](std::int64_t size) { return !std::has_single_bit(static_cast<std::uint64_t>(size)); });
    std::ranges::sort(sizes);
    return sizes;
}

}  // namespace sluice::training
