// Complete search over chains of downsets: the least bottleneck under the planners' cost, of all legal assignments at once.
//
// What a chip costs and whether it is legal depends on the downsets before and behind it alone: {} = I0 < I1 < … < Ik = V, chip d holds
// I(d+1) \ I(d). For a target T the downsets that so many chips reach, each below T, are found level by level; fewer chips for the same
// downset dominate more, since nothing behind it depends on what is before. Bisection over integer T proves the optimum.
//   adjacent  no tensor made in I is read outside J = I + chip: every chip must hold the readers of what was made before it
//   triangle  searched as adjacent: the same where every chip used feeds the next one; else the paper allows a little more, and the result
//             is not called the optimum
//   relay     what is alive at a border crosses it: in depends on I alone, out on J alone
//   neither   all chains
// Without acyclic: the best of the acyclic ones, likewise not called the optimum. no_skip takes nothing away: a chip left out gains
// nothing. A chip's sets are enumerated once each, by ascending numbers; cut off where work, parameters or incoming transfers, all of which
// only grow, are above T, or where the work left is too much for the chips left. Exponential in the width of the graph: ends with what it
// has when the states or search nodes allowed are used up. Deterministic without a deadline.
#pragma once

#include <optional>

#include "sluice/mcm/registry.hpp"

namespace sluice::mcm {

struct ExactOptions {
    Bytes memory{std::int64_t{1} << 30};  // of downsets
    std::int64_t nodes = 50'000'000;      // sets of operators looked at, over all targets; plan_exact with a deadline: no limit
    std::optional<Duration> below = {};   // only what is strictly below matters
};

enum class ExactOutcome {
    complete,  // the best is the optimum of what is searched; without a best there is none (below)
    too_large,
    stopped  // by the limits
};

struct ExactResult {
    ExactOutcome outcome = ExactOutcome::complete;
    std::optional<Assignment> best;
    Duration bottleneck{0};  // of the best
    Duration proven{0};      // no chain is below
    std::int64_t nodes = 0, states = 0;
};

[[nodiscard]] ExactResult search_chains(const ChipProblem& problem, const ExactOptions& options, const Limits& limits);

/// `exact`: the best of the sliced orders and equal shares, then what is better. One evaluation for each of the two; more where something
/// does not compile: then it is learnt, and searched again.
[[nodiscard]] Result<PlannerResult> plan_exact(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                               const Limits& limits);

}  // namespace sluice::mcm
