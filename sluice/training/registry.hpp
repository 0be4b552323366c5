// The planners of job 3 by name (`sluice plan --for training --method NAME`).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/cost/training_partition.hpp"

namespace sluice::training {

struct PlannerOptions {
    std::optional<std::int64_t> micro_batch = {};  // this one alone; else every one that the method allows is tried
    std::optional<cost::Schedule> schedule = {};   // this one alone, where the method leaves a choice
    std::optional<bool> recompute = {};            // everywhere or nowhere; else where the method thinks it pays
    std::uint64_t seed = 0;
    int threads = 1;
};

struct PlannerResult {
    cost::TrainingPartition partition;
    Duration iteration{0};  // simulated (training/evaluate.hpp)
    Termination termination;
    std::string winner = {};  // which variant of the method made it: "micro-batch 4, kFkB"
    std::vector<Diagnostic> warnings = {};
};

/// A plan that faults_of accepts. Diagnostics: DiagnosticKind::infeasible when no plan of the method's kind fits the memory, with the
/// operator and the number that makes it so, and what would fit; stopped when interrupted before there was one.
using PlannerFunction = Result<PlannerResult> (*)(const cost::TrainingProblem&, const PlannerOptions&, Observer&, const Limits&);

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

}  // namespace sluice::training
