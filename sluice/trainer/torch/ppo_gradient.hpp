// The policy's network once more, in libtorch, for its gradient. The same function as mcm::policy::logits to rounding (a test holds them
// together). Deterministic at one number of threads.
#pragma once

#include "sluice/trainer/ppo.hpp"

namespace sluice::trainer {

void use_threads(int threads);

/// node x chip, in doubles or in floats.
[[nodiscard]] std::vector<double> torch_logits(const mcm::policy::Architecture& architecture, std::span<const double> weights,
                                               const mcm::policy::Features& features, bool doubles);

struct ExactGradient {
    double loss = 0, entropy = 0;
    std::vector<double> values;
};
[[nodiscard]] ExactGradient exact_gradient(const mcm::policy::Architecture& architecture, std::span<const double> weights,
                                           const mcm::policy::Features& features, std::span<const Rollout* const> rollouts,
                                           const Objective& objective);

/// In floats: what training calls.
[[nodiscard]] Gradient ppo_gradient(const mcm::policy::Architecture& architecture, std::span<const float> weights,
                                    const mcm::policy::Features& features, std::span<const Rollout* const> rollouts,
                                    const Objective& objective);

}  // namespace sluice::trainer
