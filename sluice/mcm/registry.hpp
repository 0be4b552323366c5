// The planners of the multi-chip job by name: what `--method` offers on a platform with chip rules.
// A planner looks for the assignment with the least period under a judge. Its evaluations are the judge's verdicts (design §6); what it
// computes from the planners' cost is free. Deterministic for a seed under Limits::evaluations, at any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/mcm/judge/judge.hpp"

namespace sluice::mcm {

namespace policy {
struct Policy;
}

struct PlannerOptions {
    std::uint64_t seed = 0;
    int threads = 1;
    Judge* judge = nullptr;             // never null
    const Assignment* start = nullptr;  // legal; nothing worse under the judge is given back by methods that improve
    /// 1 - bound / bottleneck in reach: methods may end there. Of the planners' cost, which no verdict is below.
    std::optional<Duration> proven = {};
    const policy::Policy* policy = nullptr;  // of method `policy`; null: the shipped one
};

/// The best so far after each evaluation that improved it.
struct Improvement {
    std::int64_t evaluations = 0;
    Duration period{0};
};

struct PlannerResult {
    Assignment chips;  // legal (chip_faults) and compiled
    Verdict verdict;
    std::vector<Improvement> curve;
    std::int64_t failed = 0;  // evaluations that did not compile
    Termination termination;
    std::string winner = {};  // which variant of the method made it
    std::vector<Diagnostic> warnings = {};
};

/// Diagnostics: infeasible when no assignment is legal, or none that was tried compiles (the last failure is its note); stopped when
/// interrupted before there was one; the judge's own.
using PlannerFunction = Result<PlannerResult> (*)(const ChipProblem&, const PlannerOptions&, Observer&, const Limits&);

struct Planner {
    std::string_view name;
    std::string_view description;  // one line
    std::string_view source;       // paper and section
    PlannerFunction plan = nullptr;
    bool baseline = false;  // what others do
};

/// The first is what is used when none is named.
[[nodiscard]] std::span<const Planner> planners();
/// Usage Diagnostic with the nearest match when there is none of that name.
[[nodiscard]] Result<const Planner*> find_planner(std::string_view name);

}  // namespace sluice::mcm
