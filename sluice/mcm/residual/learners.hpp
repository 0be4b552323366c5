// What learns a correction of the planners' cost from judged plans (design §3.2 "residual"; notes on hidden judges).
//   reweighting   a chip that took r times what was predicted makes each of its operators r times as heavy. No features: right also where
//   the
//                 error is of each operator its own
//   perceptron    the log factor of an operator from its local features, and the link's rate and message cost, by gradient descent on the
//                 squared log error of chip times
// Both need chip times; with throughput alone evolution (residual.cpp) searches the correction itself.
// Deterministic. O(rows + chips) a step and judged plan; rows are few (features.hpp).
#pragma once

#include <span>
#include <vector>

#include "sluice/mcm/residual/correction.hpp"
#include "sluice/mcm/residual/perceptron.hpp"

namespace sluice::mcm {

/// A plan that was judged, with chip times.
struct Observed {
    Assignment chips;
    std::vector<double> seconds;           // per chip, in picoseconds; 0: it held nothing
    std::vector<ChipTransfers> transfers;  // by the planners
    std::vector<double> row_work;          // chip x feature row: work + grain of the nodes there
};
[[nodiscard]] Observed observed(const ChipProblem& problem, const FeatureTable& table, std::span<const std::uint8_t> chips,
                                std::span<const Duration> chip_times);

/// `start` with each observation's error laid on its operators in turn, oldest first.
[[nodiscard]] Correction reweighted(const ChipProblem& problem, Correction start, std::span<const Observed> seen);

class PerceptronLearner {
public:
    /// What it refers to outlives it.
    PerceptronLearner(const ChipProblem& problem, const FeatureTable& table, RandomStream& random);
    /// `steps` of descent on all of them.
    void learn(std::span<const Observed> seen, int steps);
    [[nodiscard]] Correction correction() const;
    /// Mean squared log error of the chip times.
    [[nodiscard]] double loss(std::span<const Observed> seen) const;

private:
    struct Slopes {
        std::vector<double> rows;
        double link = 0, message = 0;
    };
    double descend(std::span<const Observed> seen, std::span<const double> outputs, Slopes* slopes) const;

    const ChipProblem& problem_;
    const FeatureTable& table_;
    Perceptron perceptron_;
    double log_link_ = 0, message_ = 0;  // message: in units of the mean transfer
    double unit_ = 1;
};

}  // namespace sluice::mcm
