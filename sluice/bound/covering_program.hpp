// The linear program behind covering weights, kept in HiGHS from one call to the next: the heaviest weights in a box under which none of
// the stages known so far weighs more than its devices. What it answers is a hint; search/stage_pricing judges it. One thread,
// deterministic; no exception leaves.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/search/serial_problem.hpp"

class Highs;

namespace sluice::bound {

class CoveringProgram {
public:
    explicit CoveringProgram(std::size_t groups);
    ~CoveringProgram();
    CoveringProgram(CoveringProgram&&) noexcept;
    CoveringProgram& operator=(CoveringProgram&&) noexcept;

    /// The stage weighs at most `devices`.
    void add(std::span<const search::SerialProblem::Index> stage, std::int64_t devices);
    struct Answer {
        std::vector<double> weights;  // per group, in devices, each within its bounds; empty: none
        bool infeasible = false;      // no weights in the box; else, without weights, stopped or HiGHS failed
    };
    [[nodiscard]] Answer solve(std::span<const double> lower, std::span<const double> upper, const Limits& limits);

private:
    std::unique_ptr<Highs> highs_;
};

}  // namespace sluice::bound
