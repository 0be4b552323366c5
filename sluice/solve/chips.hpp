// Plans for a ring of chips in one call (design §3.2): rewrites that make partitions legal, a planner by name under a judge, a certified
// bound, the rewritten graph that the plan speaks of. What `plan` and `compare` call on a platform with chip rules, and what `verify`
// checks of such a plan beside all that any plan for inference must hold.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/bound/certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/graph/rewrite.hpp"
#include "sluice/mcm/judge/find_judge.hpp"
#include "sluice/mcm/registry.hpp"
#include "sluice/plan/plan.hpp"

namespace sluice::solve {

/// What a planner may do to the model.
struct ChipRewrites {
    bool clone = true, recompute = true, relay = true;
    friend bool operator==(const ChipRewrites&, const ChipRewrites&) = default;
};
/// "all", "none", or some of "clone", "recompute", "relay" with commas between. Usage Diagnostic with the nearest match.
[[nodiscard]] Result<ChipRewrites> parse_rewrites(std::string_view text);
[[nodiscard]] std::string to_text(const ChipRewrites& rewrites);

struct ChipSolveOptions {
    std::string method = {};  // empty: the registry's first
    std::string judge{mcm::kSimulator};
    std::shared_ptr<const mcm::policy::Policy> policy = {};  // of method `policy`; null: the shipped one
    mcm::MakeJudge make_judge = {};  // another than these: it judges finished plans (finish.hpp), `judge` is what the plan calls it
    ChipRewrites rewrites = {};
    std::int64_t chips = 0;  // -k: 0: all of the platform
    std::uint64_t seed = 0;
    int threads = 1;
    double gap = 0;
};

/// What all methods on one model and platform have in common. Nothing of it may move: the problem points into it.
struct PreparedChips {
    const graph::Graph& model;
    const platform::Platform& platform;
    const cost::MeasuredCosts* measured = nullptr;
    ChipRewrites rewrites;
    bound::Certificate certificate;  // of ChipSolveResult, before raise_bound()
    bool certified = false;
    std::vector<Diagnostic> warnings;  // about the certificate
    cost::StageProblem work;           // the model without its transfers: what bounds speak of
    graph::Graph graph;                // the model, with clones of what is shared
    cost::FrozenProblem frozen;
    mcm::ChipProblem problem;
};
/// What it refers to outlives it. Of `limits` the stop token alone counts. Diagnostics: a platform without a ring (mcm::chip_problem),
/// freezing's, parameters beyond all SRAM.
[[nodiscard]] Result<std::unique_ptr<const PreparedChips>> prepare_chips(const graph::Graph& model, const platform::Platform& platform,
                                                                         const cost::MeasuredCosts* measured, std::int64_t chips,
                                                                         const ChipRewrites& rewrites, Observer& observer,
                                                                         const Limits& limits = {});

/// A bound above the prepared one, with its certificate checked: of the model's work alone, so that it holds whatever is rewritten. None:
/// there is none to be had within the limits; where the bound failed, or the checker refused what it gave, a warning says so.
struct RaisedBound {
    std::optional<bound::Certificate> certificate;
    std::vector<Diagnostic> warnings;
};
/// `enough`: nothing above is worth proving, since a plan reaches it. `by`: what proves; null: the chain of cuts.
[[nodiscard]] RaisedBound raise_bound(const PreparedChips& prepared, Duration enough, int threads, Observer& observer, const Limits& limits,
                                      const bound::Bound* by = nullptr);

struct ChipSolveResult {
    graph::Graph graph;  // what the plan's operators are of: the model, rewritten
    cost::FrozenProblem frozen;
    cost::Partition partition;  // a stage is a chip
    mcm::Verdict verdict;       // of the partition as it is
    /// On the bottleneck of every plan for the model on these chips, whatever is rewritten: no rewrite takes work away.
    bound::Certificate certificate;
    bool certified = false;
    std::string method, winner;
    std::vector<mcm::Improvement> curve;
    std::int64_t failed = 0;  // evaluations that did not compile
    Termination termination;
    std::vector<Diagnostic> warnings;
};

/// Deterministic under Limits::evaluations. Diagnostics: unknown method or judge, the planner's own; a plan of ours that does not hold is
/// an internal one. Of `options`, chips and rewrites are what was prepared.
[[nodiscard]] Result<ChipSolveResult> solve_chips(const PreparedChips& prepared, const ChipSolveOptions& options, Observer& observer,
                                                  const Limits& limits);
/// All of it: prepared, planned with at most nine tenths of the time, bounded with what is left. `model`: not rewritten.
[[nodiscard]] Result<ChipSolveResult> solve_chips(const graph::Graph& model, const platform::Platform& platform,
                                                  const cost::MeasuredCosts* measured, const ChipSolveOptions& options, Observer& observer,
                                                  const Limits& limits);

/// The plan, complete but for what only the caller knows: model.dimensions, model.assume_size, more options and limit.
[[nodiscard]] plan::Plan make_chip_plan(const platform::Platform& platform, const ChipSolveOptions& options, const ChipSolveResult& result);

/// A stage for each chip up to the last one used; none of those is empty.
[[nodiscard]] cost::Partition chip_partition(const cost::StageProblem& problem, std::span<const std::uint8_t> chips);

/// The way back: the chip of each node is its stage's number.
[[nodiscard]] mcm::Assignment chip_assignment(const cost::StageProblem& problem, const cost::Partition& partition);

/// What a partition of `problem`, a stage a chip, breaks of the paper's rules; nothing where the platform has no chip rules. `graph`: what
/// the problem was frozen from.
[[nodiscard]] std::vector<Diagnostic> chip_failures(const graph::Graph& graph, const platform::Platform& platform,
                                                    const cost::StageProblem& problem, const cost::Partition& partition);

}  // namespace sluice::solve
