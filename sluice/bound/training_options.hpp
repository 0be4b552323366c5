// How each node of a training plan can run, in floating point: what bound/training_bound.hpp chooses from. Private to this layer.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "sluice/bound/certificate_training.hpp"
#include "sluice/cost/training_problem.hpp"

namespace sluice::bound {

/// A price or time that nothing reaches.
inline constexpr double kInfinite = std::numeric_limits<double>::infinity();
/// Up to so many replicas every number is an option; of more, the least with so many samples each.
inline constexpr std::int64_t kDense = 16;

/// How a node can run: so many replicas and samples, and what that takes. Times in picoseconds.
struct Option {
    std::uint32_t device = 0;
    std::int64_t replicas = 1;
    double times = 1;  // micro-batches
    double forward = 0, input = 0, weight = 0;
    double reduce = 0, step = 0;             // of all its parameters
    double work = 0, links = 0, memory = 0;  // of those that count for it: what its share of a device is made of
    double needs = 0;                        // time below which it cannot be
    [[nodiscard]] double total() const { return times * (forward + input + weight); }
    /// Backward passes and the optimiser's step.
    [[nodiscard]] double behind() const { return work - times * forward; }
};

class NodeOptions {
public:
    NodeOptions(const cost::TrainingProblem& problem, TrainingObjective objective, std::optional<std::int64_t> micro_batch);
    /// Nodes that cost the same have the same options: kinds.
    [[nodiscard]] const std::vector<std::size_t>& kind_of() const { return kind_of_; }
    [[nodiscard]] const std::vector<std::vector<Option>>& kinds() const { return kinds_; }

private:
    struct Parameters {
        double state = 0, gradient = 0, updated = 0;
    };

    void find_parameters(std::size_t v);
    [[nodiscard]] std::vector<std::int64_t> signature(std::size_t v) const;
    [[nodiscard]] double all_reduce(double bytes, std::int64_t replicas, bool latencies) const;
    [[nodiscard]] std::vector<Option> options_of(std::size_t v) const;
    [[nodiscard]] std::optional<Option> option_of(std::size_t v, std::size_t c, std::int64_t b, std::int64_t r, std::int64_t s) const;

    const cost::TrainingProblem& problem_;
    const bool iteration_;
    const std::optional<std::int64_t> micro_batch_;
    Parameters all_, own_;
    std::vector<std::size_t> kind_of_;
    std::vector<std::vector<Option>> kinds_;
};

}  // namespace sluice::bound
