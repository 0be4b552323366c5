// Planners and bounds together until they meet or a limit stops them: what `plan`, `bound` and the Python module call.
// With Limits::evaluations the sides run one after the other, each with all threads, and what one learns from the other is fixed before it
// starts: the result is a function of problem, options and count alone (a deadline given beside it still ends the call, and says so).
// Without, and with two threads or more, they run side by side and stop as soon as their events show that they have met.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/bound/certificate.hpp"
#include "sluice/cost/partition.hpp"
#include "sluice/inference/registry.hpp"
#include "sluice/plan/plan.hpp"

namespace sluice::solve {

struct SolveOptions {
    std::int64_t stages = 1;
    std::int64_t max_replicas = 1;  // --replicas: devices that may serve one stage
    inference::Objective objective = inference::Objective::throughput;
    // --from: a valid partition of this problem; the result is never worse, and `prove` ends where it is reached
    std::optional<cost::Partition> start = {};
    // Proven before, perhaps for other stages: used where the checker accepts it for this problem and these stages.
    std::optional<bound::Certificate> known = {};
    inference::GeneticShares genetic = {};
    std::string method = "auto";
    std::string bound = "auto";
    std::uint64_t seed = 0;  // below 2^63: a plan file holds it as a JSON integer
    int threads = 1;
    bool until_limit = false;  // a planner that draws orders goes on until a limit, not for its usual number of them
    double gap = 0;            // stop once 1 - bound/bottleneck <= gap; in [0, 1)
    std::string model;         // Graph::fingerprint, for the certificate
};

struct SolveResult {
    cost::Partition partition;
    cost::PartitionCost cost;
    bound::Certificate certificate;
    bool certified = false;            // the independent checker agreed with the certificate
    Termination termination;           // evaluations: the planner's
    std::string method;                // name of the planner
    std::string winner;                // which order or move found the plan
    std::vector<Diagnostic> warnings;  // what of ours failed on the way and was done without: to be shown
};

struct ProveResult {
    bound::Certificate certificate;  // of kind solver-claimed where the method asked for claims more than it proves
    bool certified = false;
    Termination termination;
    std::vector<Diagnostic> warnings;
};

/// What a planner is asked for, but for what the other side has proven. Points into `options`.
[[nodiscard]] inference::PlannerOptions planner_options(const SolveOptions& options);

/// `observer` gets one serialised stream: each event holds the best objective and the best bound so far.
/// Interrupted or out of time: the best so far of both. Diagnostics: unknown method or bound, k < 1, gap outside [0, 1), a start
/// that does not hold; the planner's own.
[[nodiscard]] Result<SolveResult> solve(const cost::StageProblem& problem, const SolveOptions& options, Observer& observer,
                                        const Limits& limits);

/// The bound alone; `method` and `seed` have no meaning here. With a `start` it ends once its gap to that plan is at most `gap`.
[[nodiscard]] Result<ProveResult> prove(const cost::StageProblem& problem, const SolveOptions& options, Observer& observer,
                                        const Limits& limits);

/// The plan of a solve, complete but for what only the caller knows: model.dimensions, model.assume_size, options and limit.
[[nodiscard]] plan::Plan make_plan(const graph::Graph& graph, const platform::Platform& platform, const cost::FrozenProblem& frozen,
                                   const SolveOptions& options, const SolveResult& result);

}  // namespace sluice::solve
