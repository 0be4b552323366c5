// Which cheap operators to make once for every group of readers, before any search. On a chip ring all readers of a tensor lie on its chip
// or the next one (notes: acyclic with triangle), so one attention mask that every layer reads holds the whole model together.
//
// An operator is cheap when making it again, with everything that it comes from back to the model's inputs, takes at most `copy_share` of a
// chip's even share of all work, and its parameters at most `parameter_share` of a chip's SRAM. Readers that are not cheap themselves are
// grouped by how much work stands between them in the operators' order. Each group but the first gets copies of its own; where all copies
// together take more than `total_share` of all work, or their parameters do not fit beside the model's, groups are made larger.
// Copies that end up on one chip are one again after the search (finish.hpp).
// O(groupings x (operators x groups / 64 + edges)). Deterministic.
#pragma once

#include <vector>

#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/rewrite.hpp"

namespace sluice::mcm {

struct CloneOptions {
    double copy_share = 0.01;       // of total work / chips, for one copy with all it comes from
    double total_share = 0.01;      // of total work, for all copies
    double parameter_share = 0.05;  // of a chip's SRAM, for one copy
    double spread = 0.5;            // of total work / chips: readers no further apart are one group
};

struct SharedClones {
    std::vector<graph::Rewrite> rewrites;  // of the model's graph; empty: nothing is worth a copy
    Duration work{0};                      // of all copies
    Bytes parameters;                      // that copies have beside the originals
    std::size_t groups = 1;                // of readers
};

/// `problem` frozen from `graph`, which is not rewritten; its one device class has the chips (`classes.front().count`) and their memory.
[[nodiscard]] SharedClones shared_clones(const graph::Graph& graph, const cost::StageProblem& problem, const CloneOptions& options = {});

}  // namespace sluice::mcm
