// The linear programs behind `mip` and `superblocks` (Archer et al., ICML 2024; notes/inference 3.2), as one family. The k stages, in
// order, are gathered into consecutive blocks of given sizes; a block of c stages costs at least the work inside it, the tensors that
// enter and leave it and its spill, and at most c times the bottleneck. Blocks of one stage each make the exact program; before, one stage,
// after make the three superblocks. docs/formats/certificate.md (exact-lp) numbers variables and rows; check_lp rebuilds both by itself.
//
// Formulation: only prefix variables y(v, j) = "v lies in block j or before" are whole; the order of operators and of blocks makes them
// monotone, so no product and no big M is needed. A transfer variable is at least the difference of membership across each of its readers.
// A threshold on the bottleneck fixes y wherever the work of all ancestors or of all descendants leaves no room: that is what makes the
// relaxation stronger than total work / k, and what it proves holds for bottlenecks up to the threshold only. Empty stages come before the
// last one (symmetry). Hard memory limits and devices that lack an operator are relaxed.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/highs.hpp"
#include "sluice/bound/relaxation.hpp"

namespace sluice::bound {

/// Rows of the program of so many blocks, before any is left out.
[[nodiscard]] std::uint64_t block_program_rows(const cost::StageProblem& problem, std::size_t blocks);

/// O(nodes^2 / 64) memory and time to build, and the rows.
class BlockProgram {
public:
    /// `unit`: about the size of the bottleneck; only the scale of the order rows' multipliers depends on it.
    BlockProgram(const cost::StageProblem& problem, const Relaxation& relaxation, std::vector<std::int64_t> blocks, Duration unit);

    /// Fixes what must hold in every partition with a bottleneck of at most `threshold`. False: there is none.
    bool fix(Duration threshold);
    /// The whole program: with column 0, the bottleneck, at most the threshold.
    [[nodiscard]] const LinearModel& with_cutoff();
    /// The relaxation: column 0 unlimited, so that there are duals.
    [[nodiscard]] const LinearModel& without_cutoff();

    /// Floating-point duals as integers, in proportion; none: an empty witness, which proves what the threshold alone does.
    [[nodiscard]] LinearProgramWitness witness(std::span<const double> duals) const;
    [[nodiscard]] std::span<const std::int64_t> blocks() const { return blocks_; }
    /// Of the last fix: y(v, j) that are still open.
    [[nodiscard]] std::size_t open() const;

private:
    void add_cost_rows();
    void add_order_rows();
    void add_border_rows();

    /// coefficient * membership of v in block j, moved to the row's left side; what is constant goes to constant_.
    void add_member(std::size_t v, std::size_t j, std::int64_t coefficient);
    void close(std::int64_t least);

    const cost::StageProblem& problem_;
    const Relaxation& relaxation_;
    std::vector<std::int64_t> blocks_, up_to_;  // sizes; stages in block j and before
    std::int64_t unit_;
    std::int64_t threshold_ = 0;
    std::vector<std::int64_t> before_, after_;     // work of a node and all its ancestors, descendants
    std::vector<std::int32_t> out_, in_, weight_;  // column of the first block, per edge, edge, weight; -1: none
    std::int32_t spill_ = -1;
    LinearModel model_;
    std::int64_t constant_ = 0;
    std::optional<std::size_t> sink_row_;
};

}  // namespace sluice::bound
