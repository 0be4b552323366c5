// The exact engine, ready for many thresholds of one problem: relaxation, safe merges and chain tables are made once. Planners use it as a
// beam and as exact search, bounds for proofs; where the problem is not serial (overlap, classes, hard memory, host link) its refutations
// still hold, and with `judged` its partitions are the problem's own. Deterministic at any thread count.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "sluice/base/stop.hpp"
#include "sluice/cost/partition.hpp"
#include "sluice/search/downset_search.hpp"

namespace sluice::search {

/// Search nodes that count as one evaluation.
inline constexpr std::int64_t kNodesPerEvaluation = 1000;
/// Planners and bounds search in rounds: so many nodes a search in the first, more in each later one.
inline constexpr std::int64_t kFirstNodes = 200'000;
inline constexpr std::int64_t kGrowth = 4;
inline constexpr std::int64_t kMostNodes = std::int64_t{1} << 50;
[[nodiscard]] constexpr std::int64_t grown(std::int64_t effort, std::int64_t most = kMostNodes) { return std::min(effort * kGrowth, most); }

struct EngineOptions {
    std::int64_t stages = 1;
    std::int64_t max_replicas = 1;
    std::optional<Charge> charge = {};  // default: one that is valid for the problem's model
    int threads = 1;
    Bytes memory{std::int64_t{1} << 30};
    /// Every stage found is judged by the problem's own objective, on each class, and nothing is merged or dominated by the relaxed one's:
    /// slower, and needed for partitions of a problem that is not serial. Refutations then have no witness.
    bool judged = false;
};

class DownsetEngine {
public:
    /// nullopt: stopped by the limits, or the numbers are too large to prove anything with this charge.
    static std::optional<DownsetEngine> build(const cost::StageProblem& problem, const EngineOptions& options, const Limits& limits);

    struct Effort {
        std::size_t states_per_level = 0;  // 0: all, a complete search
        std::int64_t nodes_per_state = 0;  // 0: all
        std::int64_t nodes = 0;            // in all; 0: no limit
        bool witness = false;
    };
    struct Attempt {
        DownsetOutcome outcome = DownsetOutcome::stopped;
        cost::Partition partition;                     // found
        std::shared_ptr<const Refutation> refutation;  // refuted, with a witness
        std::int64_t nodes = 0, states = 0;
    };
    /// Is there a partition with a bottleneck of at most `threshold`?
    [[nodiscard]] Attempt attempt(Duration threshold, const Effort& effort, const Limits& limits) const;

    [[nodiscard]] const SerialProblem& serial() const { return serial_; }

private:
    const cost::StageProblem* problem_ = nullptr;
    EngineOptions options_;
    SerialProblem serial_;
    std::vector<ChainOfCuts> chains_;
};

}  // namespace sluice::search
