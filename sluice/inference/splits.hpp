// What is done today: the model's own order cut by a simple rule, without a look at what crosses the cuts. Baselines, each at its best:
//   equal shares   the least largest share of operators, parameter bytes or work of all ways to cut the order into k stages, and of those
//                  shares near the average (block partition: Barany and Grinberg 2015, as torchgpipe balances; parameters: the default of
//                  Coral's edgetpu_compiler -n)
//   greedy fill    device after device filled in order until the average of what is left is reached or the device's memory is full (as
//                  capacity splitters of TVM and OpenVINO HETERO do)
// A rule decides only where to cut; devices are then chosen so that the slowest stage is as fast as that split allows. What the rule itself
// makes impossible (support, hard memory) is a Diagnostic "no feasible plan: ...". O(n log W), and O(k k classes) for the devices;
// deterministic.
#pragma once

#include <span>
#include <vector>

#include "sluice/inference/registry.hpp"

namespace sluice::inference {

enum class Measure { operators, parameters, work };

/// Ends of at most `parts` consecutive runs of `weights`, none empty, the last is weights.size(): the largest sum of a run is as small as
/// can be; runs end near the average of what is left. Sums must fit int64.
[[nodiscard]] std::vector<std::size_t> balanced_cuts(std::span<const std::int64_t> weights, std::int64_t parts);

/// The split's stages on devices: of all choices the least bottleneck. `replicas` per stage or empty; needs one class when any is above 1.
/// nullopt: no choice of devices can hold it.
[[nodiscard]] std::optional<cost::Partition> place_stages(const cost::StageProblem& problem, std::vector<std::vector<NodeId>> stages,
                                                          std::span<const std::int64_t> replicas, std::int64_t devices);

/// Devices that can be used together: the counts of all classes, at most `stages`, at most one a node.
[[nodiscard]] std::int64_t usable_devices(const cost::StageProblem& problem, std::int64_t stages);
/// On the fastest class that supports the node.
[[nodiscard]] Duration fastest_work(const cost::StageProblem& problem, std::size_t node);

[[nodiscard]] Result<PlannerResult> plan_by_equal_shares(const cost::StageProblem& problem, Measure measure, const PlannerOptions& options,
                                                         Observer& observer, const Limits& limits);
[[nodiscard]] Result<PlannerResult> plan_by_greedy_fill(const cost::StageProblem& problem, const PlannerOptions& options,
                                                        Observer& observer, const Limits& limits);

}  // namespace sluice::inference
