// One legal assignment drawn from a policy, as training sees it: the operators that had a choice, what the solver left them at the time,
// and how likely their chip was. The probability of the whole is the product over these: exact, while no decision was taken back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/mcm/sample.hpp"

namespace sluice::trainer {

struct Choice {
    std::uint32_t node = 0;
    std::uint8_t chip = 0;
    std::uint64_t mask = 0;  // the solver's, two chips or more, `chip` among them
    float log_probability = 0;
    float advantage = 0;  // of this choice, beside that of the rollout
};

struct Rollout {
    std::vector<Choice> choices;
    double advantage = 0;
};

/// log of the softmax over the chips of `mask` at `chip`. `row`: the node's logits, one a chip.
[[nodiscard]] double masked_log_probability(std::span<const float> row, std::uint64_t mask, std::size_t chip);

/// `logits`: node x chip, those that `sample` was drawn by; `order`: that of the walk.
[[nodiscard]] std::vector<Choice> choices_of(const mcm::Sample& sample, std::span<const NodeId> order, std::span<const float> logits);

/// The mean entropy of the choices, each over the chips of its mask.
[[nodiscard]] double entropy_of(std::span<const Choice> choices, std::span<const float> logits, std::size_t chips);

}  // namespace sluice::trainer
