// Every inference planner by name: what `--method` offers and `plan --help` prints.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/base/blackboard.hpp"
#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/cost/objective.hpp"
#include "sluice/cost/partition.hpp"

namespace sluice::search {
struct Refutation;
}

namespace sluice::inference {

using cost::Objective;

/// Shares of a generation of a biased random-key genetic algorithm (Goncalves and Resende 2011).
struct GeneticShares {
    double elite = 0.2, mutants = 0.15;
    double bias = 0.7;  // chance that a key comes from the elite parent
};

/// What a planner that was stopped leaves for a later call on the same problem with the same options but for seed, start and what is
/// proven.
struct Continuation {
    virtual ~Continuation() = default;
};

struct PlannerOptions {
    std::int64_t stages = 1;
    std::int64_t max_replicas = 1;  // devices that may serve one stage
    Objective objective = Objective::throughput;
    std::uint64_t seed = 0;
    int threads = 1;
    const cost::Partition* start = nullptr;  // a valid partition to begin with: the result is never worse
    GeneticShares genetic = {};
    Bytes memory{std::int64_t{4} << 30};             // that exact search may use for its states
    bool until_limit = false;                        // methods that draw orders go on until a limit, not for their usual number of them
    std::optional<Duration> good_enough = {};        // a proven bound: stop when reached
    std::shared_ptr<const Continuation> go_on = {};  // of an earlier call, where a planner left one
    const Blackboard* other_side = nullptr;          // what bounds have proven meanwhile; null where results must not depend on timing
};

struct PlannerResult {
    cost::Partition partition;
    Termination termination;
    std::string winner;  // which order or move found it
    // By exact search: no partition is better than `refuted->threshold` says. solve/ makes a certificate of it.
    std::shared_ptr<const search::Refutation> refuted = {};
    std::shared_ptr<const Continuation> go_on = {};
    std::vector<Diagnostic> warnings = {};  // what the user should know of how it was found
};

using PlannerFunction = Result<PlannerResult> (*)(const cost::StageProblem&, const PlannerOptions&, Observer&, const Limits&);

struct Planner {
    std::string_view name;
    std::string_view description;  // one line
    std::string_view source;       // paper and section
    bool exact = false;
    PlannerFunction plan = nullptr;
    bool baseline = false;  // what others do: its plan for throughput is left as it is
};

[[nodiscard]] std::span<const Planner> planners();
/// Usage Diagnostic with the nearest match when there is none of that name.
[[nodiscard]] Result<const Planner*> find_planner(std::string_view name);

}  // namespace sluice::inference
