// Private to this layer. A walk through the nodes of a problem that decides them one after another and goes back where the solver says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sluice/mcm/sample.hpp"

namespace sluice::mcm {

/// Steps are numbered by the caller; each decides one node or none.
class Walk {
public:
    /// Forgets the solver's decisions.
    Walk(ChipSolver& solver, const WalkLimits& limits) : solver_(solver), before_(solver.counts()), limits_(limits) { solver.reset(); }

    /// The step to go on with: the next one, or the one whose decision was taken back. Diagnostics as for sample().
    Result<std::size_t> decide(std::size_t step, NodeId node, std::size_t chip);
    [[nodiscard]] SolverCounts counts() const;
    /// Once all nodes are decided.
    [[nodiscard]] Assignment chips() const;

private:
    ChipSolver& solver_;
    SolverCounts before_;
    WalkLimits limits_;
    std::vector<std::size_t> steps_;  // of the decisions that stand
};

}  // namespace sluice::mcm
