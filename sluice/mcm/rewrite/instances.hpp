// Private to rewrite/: an assignment as operators of the model, each on the chips that have it, and where each reads from. What finish.hpp
// works on. Costs are those of chip_problem.hpp under the problem's rules, but for operators bound into one node (colours, kernels): these
// count at their first one.
#pragma once

#include <string>
#include <vector>

#include "sluice/graph/graph.hpp"
#include "sluice/mcm/chip_problem.hpp"

namespace sluice::mcm {

/// An operator of the model as one chip has it.
struct Instance {
    static constexpr std::size_t kNone = ~std::size_t{0};
    OperatorId op;  // of the model
    std::size_t chip = 0;
    bool original = false;                // the model's own; else a copy
    std::vector<std::size_t> inputs;      // per input of the operator: the instance that makes it; kNone: none does
    std::vector<std::string> makes = {};  // names of its outputs
};

struct Instances {
    std::vector<Instance> all;
    std::vector<std::vector<std::size_t>> of;  // per operator of the model; at most one a chip
};

/// Something of it must stay though no instance reads it: a model output, a reader that every stage makes for itself, no reader at all.
[[nodiscard]] bool must_stay(const graph::Graph& model, OperatorId id);

/// Makes operators again where that is better than handing on what they make (finish.hpp). In how many steps. O(rounds x tensors that are
/// handed on x their readers' chips x size), limited; deterministic.
std::size_t recompute_where_better(const graph::Graph& model, const graph::Graph& planned, const ChipProblem& problem,
                                   Instances& instances);

}  // namespace sluice::mcm
