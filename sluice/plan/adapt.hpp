// An old plan on a new problem: the model was edited, or is to be split on other devices or into fewer stages. Decides where each node
// goes:
// 1. operators of the plan are found in the model by index and first output, else by first output alone, else (as many operators as there
//    were: something was renamed) by index alone; a node goes where most of its operators were (the earliest stage among equals);
// 2. a node that none of them names goes to the latest stage that feeds it, else to the earliest that it feeds;
// 3. edges that lead back (the edit rewired something) are repaired by moving consumers later or producers earlier, whichever prices
// better;
// 4. while more devices are asked for than there are, the cheapest of these is taken: join two neighbouring stages, or take a replica away.
// Stage numbers never fall along an edge from step 3 on, so the stage graph is acyclic by construction. Deterministic;
// O(model + stages * (model + edges)).
#pragma once

#include <cstddef>

#include "sluice/plan/plan.hpp"

namespace sluice::plan {

struct AdaptOptions {
    std::int64_t stages = 1;        // devices that the partition may use
    std::int64_t max_replicas = 1;  // of a stage
};

struct Adapted {
    cost::Partition partition;
    std::vector<Diagnostic>
        faults;  // empty: the partition is valid. Else memory, support or class counts are against it, as cost::faults_of says
    // Operators of the model that need a place:
    std::size_t matched = 0;  // that the plan places too
    std::size_t moved = 0;    // of these, now in a stage most of whose operators were in another
    std::size_t added = 0;    // that the plan does not know
    std::size_t gone = 0;     // operators of the plan that the model has not
};

/// `problem` is frozen from `graph`; the plan may be of any model. A device class that the problem lacks becomes its first.
[[nodiscard]] Adapted adapt(const Plan& plan, const graph::Graph& graph, const cost::StageProblem& problem, const AdaptOptions& options);

}  // namespace sluice::plan
