// A plan's stages as nodes of the problem, with everything that is wrong on the way: the one reading behind partition_of and validate.
// O(operators + their edges). Deterministic.
#pragma once

#include <vector>

#include "sluice/plan/plan.hpp"

namespace sluice::plan {

struct PartitionReading {
    cost::Partition partition;         // what could be read; whole when there are no failures
    std::vector<Diagnostic> failures;  // each names its stage and operator
};

[[nodiscard]] PartitionReading read_partition(const Plan& plan, const graph::Graph& graph, const cost::StageProblem& problem);

/// "operator 12 'layer4.0.conv2'"
[[nodiscard]] std::string name_of(const graph::Graph& graph, OperatorId id);

}  // namespace sluice::plan
