// A perceptron of two hidden layers of 32 and one output, trained by Adam on whole batches: the size at which no library pays.
// Deterministic for a stream.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/mcm/residual/features.hpp"

namespace sluice::mcm {

class Perceptron {
public:
    /// The output layer starts at zero: until it has learnt something it says 0.
    explicit Perceptron(RandomStream& random);

    /// One output a row.
    [[nodiscard]] std::vector<double> outputs(std::span<const LocalFeatures> rows) const;
    /// `slopes`: of the loss by each row's output. Adds weight decay, takes one step of Adam.
    void step(std::span<const LocalFeatures> rows, std::span<const double> slopes);
    /// Of the loss by every parameter, for `slopes`, in the order of `parameters`.
    [[nodiscard]] std::vector<double> gradient(std::span<const LocalFeatures> rows, std::span<const double> slopes) const;
    [[nodiscard]] std::span<double> parameters() { return parameters_; }

private:
    static constexpr std::size_t kHidden = 32;
    static constexpr std::size_t kFirst = kHidden * (kLocalFeatures + 1), kSecond = kHidden * (kHidden + 1), kThird = kHidden + 1;

    std::vector<double> parameters_, mean_, square_;  // per layer and unit: its bias, then its weights
    int steps_ = 0;
};

}  // namespace sluice::mcm
