// Local search on a finished partition: merges of two stages, operators moved to a neighbouring stage, other device classes, and at the
// end the fewest replicas. Throughput: the latency falls, then the devices used, and the bottleneck never rises. Latency: latency first,
// then the bottleneck; devices left over become replicas. First improvement in a fixed order until none is left or the work budget is
// spent, so the result does not depend on the clock unless a limit ends it. A trial costs O(degree + stages^2).
#pragma once

#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/cost/objective.hpp"
#include "sluice/cost/partition.hpp"

namespace sluice::search {

struct SettleOptions {
    std::int64_t stages = 1;  // devices of all stages together
    std::int64_t max_replicas = 1;
    cost::Objective objective = cost::Objective::throughput;
    std::int64_t budget = 100'000'000;  // elementary steps: a fraction of a second
    const Limits* limits = nullptr;     // past its deadline only a small part of the budget is used
};

/// The first thing done for throughput is to give devices that are left over to the slowest stages, where replicas are allowed.
/// Never worse than `partition`, which must be valid, by cost::better; of equal ones with no more devices (throughput).
[[nodiscard]] cost::Partition settle(const cost::StageProblem& problem, const cost::Partition& partition, const SettleOptions& options);

/// The replicas, at most `max_replicas` a stage and `stages` devices together, that make the bottleneck of stages of these times least; of
/// those the fewest. `times` belong to the stages of `partition`, whose replicas are set. The stages alone must be within the counts.
void share_devices(const cost::StageProblem& problem, const std::vector<Duration>& times, std::int64_t stages, std::int64_t max_replicas,
                   cost::Partition& partition);

}  // namespace sluice::search
