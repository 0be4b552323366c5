// The paper's strongest bounds (Archer et al., ICML 2024; notes/inference 3.2), over the programs of bound/block_program.hpp, with HiGHS.
// `mip`: the exact program, one block a stage. `superblocks`: for each stage b in turn, before | b | after; every one is a bound, so the
// best of them counts.
// Two steps, each anytime: first the linear relaxation, with the threshold bisected between what is proven and what a slicing of the
// operators in their order reaches; its duals, rounded to integers and added up by the checker, make a certificate of kind exact-lp. Then
// tree searches of growing length, whose bounds stay claims (BoundResult::claim). Half of the time goes to each.
// An evaluation is a relaxation or a node of the tree search. Deterministic under evaluations without a deadline; one thread.
#pragma once

#include "sluice/bound/registry.hpp"

namespace sluice::bound {

/// Operator-stage pairs that HiGHS is given, at most: beyond that its root relaxation alone takes hours.
inline constexpr std::uint64_t kLargestProgram = std::uint64_t{1} << 18;

/// Diagnostics: more than kLargestProgram pairs; no operators or no devices.
[[nodiscard]] Result<BoundResult> prove_mip(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                            const Limits& limits);
[[nodiscard]] Result<BoundResult> prove_superblocks(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                                    const Limits& limits);

}  // namespace sluice::bound
