// Private to this layer. Legal assignments for the searches, drawn or repaired under the rules of the problem, with what failed to compile
// kept apart.
// Rules that make no difference constraints (the paper's triangle on branchy graphs, relays), or graphs of several components, can end a
// walk in the backtrack limit. Then the walk is done again under narrower rules: acyclic and adjacent, which imply the triangle whatever
// the graph is, and every component but the first held to the node before it by an edge more, which implies no_skip. What comes out is
// legal, and but for memory and nogoods nothing is ever taken back. After the first few such walks samples are drawn narrowly from the
// start, and repairs get little time before: that distribution leaves out what only the wider rules allow.
// Deterministic for a stream's seed and the calls before.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "sluice/mcm/judge/judge.hpp"
#include "sluice/mcm/sample.hpp"

namespace sluice::mcm {

class Repair {
public:
    /// `problem` outlives this.
    explicit Repair(const ChipProblem& problem);
    Repair(const Repair&) = delete;
    Repair& operator=(const Repair&) = delete;

    /// mcm::sample() and mcm::fix() (open nodes to the nearest chip). Diagnostics: infeasible; stopped, neither way found one.
    [[nodiscard]] Result<Assignment> sample(std::span<const float> probabilities, std::span<const NodeId> order, RandomStream& random);
    [[nodiscard]] Result<Assignment> fix(std::span<const std::uint8_t> candidate, std::span<const NodeId> order, RandomStream& random);

    /// What failed to compile never comes out again, if the verdict says what it was. False: it said nothing of use.
    bool learn(const Verdict& verdict);
    [[nodiscard]] const std::vector<std::vector<NodeId>>& learnt() const { return learnt_; }
    /// Nothing learnt lies on one chip.
    [[nodiscard]] bool allows(std::span<const std::uint8_t> chips) const;

private:
    template <typename F>
    [[nodiscard]] Result<Assignment> either(std::optional<WalkLimits> wide, int& given_up, F&& walk);
    [[nodiscard]] ChipSolver* narrow();

    ChipProblem narrow_problem_;
    ChipSolver solver_;
    std::unique_ptr<cost::StageProblem> joined_;  // the graph of the narrow problem where it is not the problem's
    std::optional<ChipSolver> narrow_;            // made when it is needed
    bool has_narrow_ = false;
    int samples_given_up_ = 0, repairs_given_up_ = 0;  // one after the other
    std::vector<std::vector<NodeId>> learnt_;
};

/// WalkOrder::bisection: the same nodes decide first, time after time.
[[nodiscard]] std::vector<NodeId> bisection_order(const cost::StageProblem& costs);

}  // namespace sluice::mcm
