// Counting weights (notes/bounds 2.3): over any stage with f(S) <= r threshold they sum to at most r << kCountingShift, so over all groups
// to at most devices << kCountingShift, and over those outside a downset to at most what the devices left can take. A group's weight is
// its work over what a stage with it has left for work, beside the least transfers that any stage around the group pays.
// One flow a group and threshold. What lies near a group, and the work between, is found at the first threshold and kept for lower ones:
// O(groups x cone) then, a word-parallel sum where branches join. Deterministic at any number of threads.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/graph/node_set.hpp"
#include "sluice/search/serial_problem.hpp"
#include "sluice/search/spill_share.hpp"

namespace sluice::search {

inline constexpr int kCountingShift = 32;
struct CountingWeights {
    std::vector<std::int64_t> weight;  // per group, rounded down
    std::int64_t total = 0;
    bool refuted = false;  // the total is above devices << kCountingShift, or some group fits no stage
};

class Counting {
public:
    /// The problem must outlive this. `theta_halves` of the spill are charged as work.
    explicit Counting(const SerialProblem& problem, std::int64_t theta_halves = 0);

    /// nullopt: stopped by the limits.
    [[nodiscard]] std::optional<CountingWeights> weights(std::int64_t threshold, int threads, const Limits& limits);

private:
    class LeastTransfers;
    struct Near {
        SerialProblem::Index group;
        std::int64_t work;  // of all between, both ends included
    };

    const SerialProblem& problem_;
    SpillShare spill_;
    bool usable_ = true;              // sums far from leaving int64
    std::vector<std::int64_t> work_;  // per group, in the units of spill_, its share included
    std::vector<graph::NodeSet> before_, after_;
    std::int64_t reach_ = -1;
    std::vector<std::optional<std::vector<Near>>> near_;  // per group; none: not looked for since reach_ grew, or too many to keep
};

/// For one threshold.
[[nodiscard]] std::optional<CountingWeights> counting_weights(const SerialProblem& problem, std::int64_t threshold, int threads,
                                                              const Limits& limits, std::int64_t theta_halves = 0);

}  // namespace sluice::search
