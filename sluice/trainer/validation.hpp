// What a policy is worth where it has not learnt: by what it draws alone. Equal work and the likeliest assignment, which the planner
// `policy` judges first, would hide whatever lies below them. Deterministic for the seed.
#pragma once

#include <span>
#include <stop_token>

#include "sluice/mcm/policy/policy.hpp"
#include "sluice/trainer/instance.hpp"

namespace sluice::trainer {

/// The best period of `samples` draws (SAMPLE, bisection) under `judge`, which teaches the solver what does not compile. Draws end after 20
/// in a row that gave up. Where none compiles, all work: one chip's period. Diagnostics: the judge's; a head for another
/// number of chips; stopped before the last sample.
[[nodiscard]] Result<Duration> best_drawn(const mcm::policy::Policy& policy, const Instance& instance, mcm::Judge& judge,
                                          std::int64_t samples, std::uint64_t seed, const std::stop_token& stop = {});

/// Geometric mean over instances of equal work's period over the best drawn, both under the planners' cost. 1: none.
[[nodiscard]] Result<double> validation_score(const mcm::policy::Policy& policy, std::span<const Instance* const> instances,
                                              std::int64_t samples, std::uint64_t seed);

}  // namespace sluice::trainer
