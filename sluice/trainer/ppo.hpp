// Proximal policy optimisation (Schulman et al. 2017) of a policy on one problem: rollouts through SAMPLE, rewards from a judge, clipped
// ratios of the exact masked probabilities, averaged over the operators that had a choice. Advantages: the rollout's, of its throughput,
// and, ours, each operator's own, of its chip's time: one number for some 900 choices says little about any of them. The gradient itself
// comes from outside (torch/ppo_gradient.hpp), so that this links no libtorch. Deterministic for its seed, given a gradient that is.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/mcm/judge/judge.hpp"
#include "sluice/mcm/policy/network.hpp"
#include "sluice/trainer/rollout.hpp"

namespace sluice::trainer {

/// Minimised: -mean over rollouts of the mean over choices of min(ratio a, clip(ratio) a), - entropy bonus, + what entropy lacks to its
/// floor.
struct Objective {
    double clip = 0.2;
    double entropy_bonus = 0;
    double entropy_floor = 0;  // of the mean entropy of a choice
};

struct Gradient {
    double loss = 0;
    double entropy = 0;
    std::vector<float> values;  // per weight
};

using GradientFunction = std::function<Gradient(const mcm::policy::Architecture&, std::span<const float> weights,
                                                const mcm::policy::Features&, std::span<const Rollout* const>, const Objective&)>;

/// Adam (Kingma and Ba 2015) on one flat array.
struct Adam {
    std::vector<float> first, second;
    std::uint64_t steps = 0;

    explicit Adam(std::size_t weights) : first(weights), second(weights) {}
    void step(std::span<float> weights, std::span<const float> gradient, double rate);
};

struct PpoOptions {
    std::size_t rollouts = 20;
    int epochs = 4;
    std::size_t batches = 4;
    double rate = 5e-4;
    double blame = 0;  // weight of blame() beside the throughput of the whole, where the judge tells chip times. 0: throughput alone
    double power = 8;
    Objective objective;
};

/// log(throughput over the reference's), counted from a hundredth of it on; nothing for what does not compile.
[[nodiscard]] double reward_of(const mcm::Verdict& verdict, Duration reference);

struct UpdateResult {
    std::size_t rollouts = 0, failed = 0;  // judged; of them did not compile
    double mean_reward = 0;
    std::optional<Duration> best;  // period
    mcm::Assignment best_chips;
    std::vector<Duration> periods;  // per rollout; 0: did not compile
    double entropy = 0;
};

/// What a policy is trained on: everything but the judge stays the same from update to update.
struct Arena {
    const mcm::ChipProblem* problem = nullptr;  // that of sampling_problem()
    const mcm::policy::Features* features = nullptr;
    Duration reference{1};  // period of the equal-work assignment under the judge
    mcm::Judge* judge = nullptr;
};

/// Rollouts of one arena, with standardised advantages.
struct Batch {
    const Arena* arena = nullptr;
    std::vector<Rollout> rollouts;
    UpdateResult result;
};

/// Sets each choice's own advantage: minus (time of its chip / mean time)^power, against what the operator's chips have in the mean over
/// the rollouts, to deviation `weight` over all choices. It is the marginal cost of the power-norm of chip times, which stands for their
/// maximum. `chip_times`: per rollout; empty: not told, its choices get none.
void blame(std::span<Rollout> rollouts, std::span<const std::vector<double>> chip_times, std::size_t nodes, double power, double weight);

/// Draws and judges. Fewer than `rollouts` where the solver gave up. Diagnostics: no rollout at all; the judge's own.
[[nodiscard]] Result<Batch> collect(const mcm::policy::Policy& policy, const Arena& arena, const PpoOptions& options, RandomStream& random);

/// `epochs` times over all rollouts, each arena's in `batches` parts, all parts shuffled together.
void improve(mcm::policy::Policy& policy, Adam& adam, std::span<const Batch> batches, const PpoOptions& options,
             const GradientFunction& gradient, RandomStream& random);

}  // namespace sluice::trainer
