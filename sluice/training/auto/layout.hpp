// Private to this layer. The plans that `auto` searches: an order of the nodes, cut into slices, slices on groups of devices.
//
// A slice is an interval of a topological order, so edges between slices go forward only, and whatever is joined inside one slice leaves
// the stage graph acyclic. Operators of one slice that nothing in it joins (the end of one branch and the beginning of the next) become
// stages of their own on the same devices: they need not wait for each other, so devices can be loaded evenly without branches losing their
// parallelism.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/cost/training_partition.hpp"

namespace sluice::training {

struct DeviceSpan {
    std::int64_t first = 0, count = 1;
    friend bool operator==(const DeviceSpan&, const DeviceSpan&) = default;
};

struct Layout {
    const std::vector<NodeId>* order = nullptr;  // topological
    std::vector<std::uint32_t> cuts = {};        // where slices end, ascending; the last is the number of nodes
    std::vector<DeviceSpan> groups = {};
    std::vector<std::uint32_t> group_of = {};  // per slice
    std::int64_t micro_batch = 1;
    bool whole = false;  // each slice is one stage, even where it has parts that need not wait for each other
    friend bool operator==(const Layout&, const Layout&) = default;
};

/// Topological orders that finish a branch before they begin the next: from the sources, and mirrored, from the sinks; and the model's own.
[[nodiscard]] std::vector<std::vector<NodeId>> branch_orders(const cost::StageProblem& problem);

/// One of them with branches in a random order.
[[nodiscard]] std::vector<NodeId> random_branch_order(const cost::StageProblem& problem, RandomStream& random);

/// The stages of a layout under Schedule::list, in a topological order, without caps (memory_fit.hpp). O(nodes + edges).
[[nodiscard]] cost::TrainingPartition stages_of(const cost::TrainingProblem& problem, const Layout& layout);

/// Every stage's class can run all its nodes.
[[nodiscard]] bool supported(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition);

/// Class of a device, by its number.
[[nodiscard]] ClassId class_of(const cost::TrainingProblem& problem, std::int64_t device);

}  // namespace sluice::training
