#include "sluice/mcm/residual/perceptron.hpp"

#include <array>
#include <cmath>

namespace sluice::mcm {

namespace {

constexpr double kRate = 5e-3, kDecay = 1e-4, kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;

/// bias + weights · inputs
template <typename Inputs>
double unit(const double* parameters, const Inputs& inputs) {
    double sum = *parameters;
    for (const auto input : inputs) sum += *++parameters * static_cast<double>(input);
    return sum;
}

template <std::size_t kCount, typename Inputs>
std::array<double, kCount> layer(const double* parameters, const Inputs& inputs) {
    std::array<double, kCount> outputs{};
    for (std::size_t i = 0; i < kCount; ++i) outputs[i] = std::tanh(unit(parameters + i * (inputs.size() + 1), inputs));
    return outputs;
}

}  // namespace

Perceptron::Perceptron(RandomStream& random)
    : parameters_(kFirst + kSecond + kThird, 0), mean_(parameters_.size(), 0), square_(parameters_.size(), 0) {
    const auto fill = [&](std::size_t begin, std::size_t inputs) {
        const double width = std::sqrt(3.0 / static_cast<double>(inputs));
        for (std::size_t i = 0; i < kHidden; ++i)
            for (std::size_t k = 1; k <= inputs; ++k) parameters_[begin + i * (inputs + 1) + k] = (2 * random.unit() - 1) * width;
    };
    fill(0, kLocalFeatures);
    fill(kFirst, kHidden);
}

std::vector<double> Perceptron::outputs(std::span<const LocalFeatures> rows) const {
    std::vector<double> outputs;
    for (const LocalFeatures& row : rows) {
        const auto first = layer<kHidden>(parameters_.data(), row);
        const auto second = layer<kHidden>(parameters_.data() + kFirst, first);
        outputs.push_back(unit(parameters_.data() + kFirst + kSecond, second));
    }
    return outputs;
}

std::vector<double> Perceptron::gradient(std::span<const LocalFeatures> rows, std::span<const double> slopes) const {
    std::vector<double> gradient(parameters_.size(), 0);
    const double* second_layer = parameters_.data() + kFirst;
    const double* third_layer = second_layer + kSecond;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        if (slopes[r] == 0) continue;
        const auto first = layer<kHidden>(parameters_.data(), rows[r]);
        const auto second = layer<kHidden>(second_layer, first);
        double* third_gradient = gradient.data() + kFirst + kSecond;
        third_gradient[0] += slopes[r];
        std::array<double, kHidden> to_first{};
        for (std::size_t i = 0; i < kHidden; ++i) {
            third_gradient[i + 1] += slopes[r] * second[i];
            const double slope = slopes[r] * third_layer[i + 1] * (1 - second[i] * second[i]);
            double* into = gradient.data() + kFirst + i * (kHidden + 1);
            into[0] += slope;
            for (std::size_t k = 0; k < kHidden; ++k) {
                into[k + 1] += slope * first[k];
                to_first[k] += slope * second_layer[i * (kHidden + 1) + k + 1];
            }
        }
        for (std::size_t k = 0; k < kHidden; ++k) {
            const double slope = to_first[k] * (1 - first[k] * first[k]);
            double* into = gradient.data() + k * (kLocalFeatures + 1);
            into[0] += slope;
            for (std::size_t f = 0; f < kLocalFeatures; ++f) into[f + 1] += slope * static_cast<double>(rows[r][f]);
        }
    }
    return gradient;
}

void Perceptron::step(std::span<const LocalFeatures> rows, std::span<const double> slopes) {
    const std::vector<double> gradient = this->gradient(rows, slopes);
    ++steps_;
    const double mean_scale = 1 / (1 - std::pow(kBeta1, steps_)), square_scale = 1 / (1 - std::pow(kBeta2, steps_));
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        mean_[i] = kBeta1 * mean_[i] + (1 - kBeta1) * gradient[i];
        square_[i] = kBeta2 * square_[i] + (1 - kBeta2) * gradient[i] * gradient[i];
        parameters_[i] -= kRate * (mean_[i] * mean_scale / (std::sqrt(square_[i] * square_scale) + kTiny) + kDecay * parameters_[i]);
    }
}

}  // namespace sluice::mcm
