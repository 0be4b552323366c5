// PipeDream's planner on an inference graph: the published tool people would use for this, priced by our objective.
// Source: Narayanan et al., SOSP 2019, section 3.1, and the planner of msr-fiddle/pipedream (optimizer_graph_hierarchical.py). Its states
// are the non-empty downsets of the graph ("antichain states"); dynamic programming over (state, devices) minimises the largest of
//   max(work, transfer of what crosses the stage's first border, transfer of what crosses its last) / replicas.
// Forward only: no gradients on the way back (the factor 2 of each transfer), none to synchronise, nothing stashed. Devices may stay unused
// (its --use_fewer_machines). Where there are more than `kMostStates` states it is the better, by its own cost, of two ways out:
// only downsets of what hangs on one source, as published (other sources join when they are needed), if these are few enough; and the
// model's order as a chain, whose states are its prefixes, as its users do (compress_graph_branches.py; GraphPipe's comparison). Equal
// devices are presumed: with several classes the fastest work of each node counts, no stage is replicated, and devices are chosen for the
// split afterwards. Memory is checked at the end only: its own check is off by default. O(states^2 (nodes / 64 + devices replicas)) time,
// states (nodes / 8 + 16 devices) bytes. Deterministic.
#pragma once

#include "sluice/inference/registry.hpp"

namespace sluice::inference {

inline constexpr std::size_t kMostStates = 8192;

/// What is free for the published planner: its states begin at one source. Here that with the most descendants.
[[nodiscard]] graph::NodeSet descendants_of_one_source(const cost::StageProblem& problem);

struct PipedreamSplit {
    std::vector<std::vector<NodeId>> stages;
    std::vector<std::int64_t> replicas;
    Duration bottleneck{0};  // by PipeDream's cost
    std::size_t states = 0;
    bool chain = false;  // planned as a chain
};
/// nullopt: stopped by the limits.
[[nodiscard]] std::optional<PipedreamSplit> pipedream_split(const cost::StageProblem& problem, std::int64_t devices,
                                                            std::int64_t max_replicas, const Limits& limits,
                                                            std::size_t most_states = kMostStates);

[[nodiscard]] Result<PlannerResult> plan_by_pipedream(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                                      const Limits& limits);

}  // namespace sluice::inference
