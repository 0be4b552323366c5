// Every inference planner by name: what `--method` offers and `plan --help` prints.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/cost/partition.hpp"

namespace sluice::inference {

struct PlannerOptions {
    std::int64_t stages = 1;
    std::uint64_t seed = 0;
    int threads = 1;
    bool until_limit = false;                  // methods that draw orders go on until a limit, not for their usual number of them
    std::optional<Duration> good_enough = {};  // a proven bound: stop when reached
};

struct PlannerResult {
    cost::Partition partition;
    Termination termination;
    std::string winner;  // which order or move found it
};

using PlannerFunction = Result<PlannerResult> (*)(const cost::StageProblem&, const PlannerOptions&, Observer&, const Limits&);

struct Planner {
    std::string_view name;
    std::string_view description;  // one line
    std::string_view source;       // paper and section
    bool exact = false;
    PlannerFunction plan = nullptr;
};

[[nodiscard]] std::span<const Planner> planners();
/// Usage Diagnostic with the nearest match when there is none of that name.
[[nodiscard]] Result<const Planner*> find_planner(std::string_view name);

}  // namespace sluice::inference
