// Trains a policy: from nothing on a corpus (the weights that come with sluice are its result), or on one problem. Resumable to the same
// result, deterministic for its seed.
//   train     each update is one graph's (or a few's): 20 rollouts each, then PPO over all. Every few updates the policy is tried on the
//             validation graphs (validation.hpp). The best policy there is what comes out, not the last.
//   finetune  all updates are of one problem; the best assignment found comes out too, with the curve of periods over evaluations, and
//             that of what the policy drew alone: the likeliest assignment of an untrained ordinal head is equal work, which says nothing.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "sluice/trainer/checkpoint.hpp"
#include "sluice/trainer/corpus.hpp"

namespace sluice::trainer {

struct TrainingOptions {
    PpoOptions ppo;
    double entropy_bonus = 2e-4;  // at the first update, falling to 0 at the last
    double entropy_floor = 0;     // share of the entropy at the first update on a graph that is defended
    std::uint64_t updates = 100;
    std::size_t graphs = 1;  // train: of one update, each with its own rollouts
    std::uint64_t validate_every = 10;
    std::int64_t validation_samples = 100;
    std::uint64_t seed = 0;
    std::filesystem::path checkpoint;  // empty: none
    std::uint64_t checkpoint_every = 10;
    std::string settings;  // of everything outside these options that matters
    std::stop_token stop;
};
/// Rates and bonuses for a shape, narrow, wide or categorical: notes/mcm-policy.md, but for the narrow rate and the blame (ADR 12).
[[nodiscard]] TrainingOptions options_for(const mcm::policy::Architecture& architecture, bool fine_tuning);

struct Progress {
    enum class Kind { resumed, update, validation, improvement };
    Kind kind = Kind::update;
    std::uint64_t updates = 0, evaluations = 0;
    std::string_view graph;
    double value = 0;  // update: mean reward; validation: score; improvement: period in seconds
    double best = 0;   // so far, of what is kept
    double entropy = 0;
    std::size_t failed = 0;
};
using ProgressFunction = std::function<void(const Progress&)>;

struct TrainingResult {
    State state;
    bool interrupted = false;
};

/// `instances`: those of splits train and validation count. Diagnostics: no instance to train on or to validate with; a checkpoint that
/// does not fit; what PPO says.
[[nodiscard]] Result<TrainingResult> train(mcm::policy::Policy policy, std::span<const std::unique_ptr<Instance>> instances,
                                           const TrainingOptions& options, const GradientFunction& gradient,
                                           const ProgressFunction& progress);

/// Ends after `evaluations` verdicts of `judge` (the last update gets what is left), or when asked to.
[[nodiscard]] Result<TrainingResult> finetune(mcm::policy::Policy policy, const Instance& instance, mcm::Judge& judge,
                                              std::uint64_t evaluations, const TrainingOptions& options, const GradientFunction& gradient,
                                              const ProgressFunction& progress);

}  // namespace sluice::trainer
