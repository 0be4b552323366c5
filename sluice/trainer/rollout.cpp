#include "sluice/trainer/rollout.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "sluice/mcm/chip_mask.hpp"

namespace sluice::trainer {

namespace {

double log_sum(std::span<const float> row, std::uint64_t mask) {
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    mcm::for_each_chip(mask, [&](std::size_t c) { most = std::max(most, static_cast<double>(row[c])); });
    mcm::for_each_chip(mask, [&](std::size_t c) { sum += std::exp(static_cast<double>(row[c]) - most); });
    return most + std::log(sum);
}

}  // namespace

double masked_log_probability(std::span<const float> row, std::uint64_t mask, std::size_t chip) {
    return static_cast<double>(row[chip]) - log_sum(row, mask);
}

std::vector<Choice> choices_of(const mcm::Sample& sample, std::span<const NodeId> order, std::span<const float> logits) {
    const std::size_t chips = logits.size() / order.size();
    std::vector<Choice> choices;
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (std::has_single_bit(sample.masks[i])) continue;
        const std::size_t node = order[i].index();
        const std::uint8_t chip = sample.chips[node];
        choices.push_back({static_cast<std::uint32_t>(node), chip, sample.masks[i],
                           static_cast<float>(masked_log_probability(logits.subspan(node * chips, chips), sample.masks[i], chip))});
    }
    return choices;
}

double entropy_of(std::span<const Choice> choices, std::span<const float> logits, std::size_t chips) {
    double total = 0;
    for (const Choice& choice : choices) {
        const auto row = logits.subspan(choice.node * chips, chips);
        const double sum = log_sum(row, choice.mask);
        mcm::for_each_chip(choice.mask, [&](std::size_t c) {
            const double log_p = static_cast<double>(row[c]) - sum;
            total -= std::exp(log_p) * log_p;
        });
    }
    return choices.empty() ? 0 : total / static_cast<double>(choices.size());
}

}  // namespace sluice::trainer
