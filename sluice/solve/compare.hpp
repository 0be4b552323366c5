// One planner, or one bound, on its own with limits of its own: the rows of `compare`. Each planner gets what any other gets and learns
// nothing from a bound but what it is told here, so that rows can be compared. What fails is a row that says why.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/bound/registry.hpp"
#include "sluice/solve/solve.hpp"

namespace sluice::solve {

struct MethodRow {
    std::string method;
    cost::Partition partition = {};  // empty: nothing was found, `failure` says why
    cost::PartitionCost cost = {};
    std::string winner = {};
    Termination termination = {};  // seconds: of this method alone
    std::optional<Diagnostic> failure = {};
};

struct BoundRow {
    std::string bound;
    std::optional<bound::Certificate> certificate = {};  // none: `failure` says why
    bool certified = false;                              // the independent checker agreed; else `failure` is its objection
    std::size_t bytes = 0;                               // of the certificate as a file
    double check_seconds = 0;                            // of the checker
    Termination termination = {};                        // seconds: of this bound alone, without the checker
    std::optional<Diagnostic> failure = {};
};

/// `proven`: a bound known before, the same for all rows; a planner that reaches it is done. `options.method` has no meaning.
[[nodiscard]] MethodRow run_method(const cost::StageProblem& problem, const inference::Planner& planner, const SolveOptions& options,
                                   std::optional<Duration> proven, Observer& observer, const Limits& limits);
/// `best`: the best objective known; nothing above it can be proven. `options.bound` has no meaning.
[[nodiscard]] BoundRow run_bound(const cost::StageProblem& problem, const bound::Bound& bound, const SolveOptions& options,
                                 std::optional<Duration> best, Observer& observer, const Limits& limits);

/// The best plan of all rows, the largest certified bound; null when no row has one.
[[nodiscard]] const MethodRow* best_of(std::span<const MethodRow> rows, cost::Objective objective);
[[nodiscard]] const BoundRow* best_of(std::span<const BoundRow> rows);

/// The planners that `compare` runs when none is named: all but those that need minutes to mean anything on a problem of this size.
[[nodiscard]] std::vector<const inference::Planner*> usual_methods(const cost::StageProblem& problem);

}  // namespace sluice::solve
