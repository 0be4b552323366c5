// Threshold search over downsets (notes/bounds 2.4-2.5): is there a partition into stages of f(S) <= replicas * threshold? One engine,
// three uses: a beam (primal), a proof of infeasibility (complete), and by bisection a bound.
// Level by level in devices used, each kept downset is extended by every stage below the threshold (include/exclude search with
// completion prunes), and a downset that another one of its level dominates is dropped. Exponential in the worst case; states expand in
// parallel, in fixed batches: the result does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/search/chain_of_cuts.hpp"
#include "sluice/search/refutation.hpp"
#include "sluice/search/serial_problem.hpp"

namespace sluice::search {

struct DownsetOptions {
    std::int64_t threshold = 0;                // in the problem's units
    std::span<const ChainOfCuts> chains = {};  // to prune completions with; may be empty
    bool counting = true;                      // prune with counting weights too
    std::size_t states_per_level = 0;          // beam: keep so many; 0: all
    std::int64_t nodes_per_state = 0;          // beam: search nodes an expansion may take; 0: all
    std::int64_t nodes = 0;                    // search nodes in all; 0: no limit. The deterministic limit.
    Bytes memory{std::int64_t{1} << 30};       // of states; beyond it the search gives up
    int threads = 1;
    bool witness = false;  // keep what a certificate needs
    /// The problem that this one relaxes: every stage found has to meet the threshold there too, on one of its classes, within the counts,
    /// memory and support. Then nothing is dropped for being dominated (what dominates here may not fit there).
    const cost::StageProblem* judge = nullptr;
};

enum class DownsetOutcome {
    found,     // a partition below the threshold
    refuted,   // there is none: complete search, or the tables alone say so
    missed,    // a beam found none
    stopped,   // by the limits
    too_large  // the memory or node limit
};

struct DownsetResult {
    DownsetOutcome outcome = DownsetOutcome::stopped;
    std::vector<std::vector<SerialProblem::Index>> stages;  // found: in order, groups ascending
    std::vector<std::int64_t> replicas;                     // per stage
    std::vector<ClassId> device;                            // per stage, with a judge
    std::vector<std::vector<graph::NodeSet>> kept;          // refuted, with `witness`: Refutation::kept, but as sets of groups
    std::int64_t nodes = 0, states = 0;
};

[[nodiscard]] DownsetResult search_downsets(const SerialProblem& problem, const DownsetOptions& options, const Limits& limits);

}  // namespace sluice::search
