// Every stage that could follow a downset below a threshold, for the checker: a plain include/exclude search that proves, leaf by leaf,
// that no stage leads on to a complete partition.
//
// The claim, for a downset L and a number u of devices left: no chain of downsets from L to all groups whose stages S have g(S) <= r t,
// each on r <= R devices, uses u devices or fewer. It is proven for every L = D + S, D a kept downset reached with d devices, S not empty,
// g(S) <= r t for r but no fewer devices, u = K - d - r, by induction on |L|, largest first:
//   whole         L = everything contradicts the claim: the certificate is wrong.
//   rule-out      u = 0; or the work outside L and the tensors that leave L (each enters a later stage) exceed u t; or the counting weights
//                 outside exceed u; or value(L) is below what a completion table asks for with u devices or with any larger number (more
//                 devices never hurt, so every row from u up binds). A kept downset that this rules out needs no expansion.
//   kept          L is itself kept with d + r devices or fewer: it is expanded like D, so by induction (all leaves of it are larger than L)
//                 it does not complete on K - d - r, even if it was reached with fewer.
//   dominated     some kept K, a proper superset of L, reached with d + r devices or fewer, completes wherever L does
//   (check_dominance.hpp);
//                 K does not, by induction.
//   leaf rule     some v outside L has all its predecessors in L, work(v) + (tensors that v alone still waits for) >= tensors v makes, and
//                 g(S + v) <= r t. Then L + v dominates L (the condition of check_dominance.hpp with X = {v}), S + v is a stage behind D on
//                 r devices or fewer, and L + v is larger than L: it is enumerated too, with as many devices left, and proven by induction.
// So chains of justifications end: each step goes to a strictly larger set. Kept downsets need not be reachable or few; that each is a
// downset, is not everything, and has all its stages enumerated is what counts.
//
// Subtrees are cut only where every leaf in them is covered. With S the final stage and I what is included so far: work, inputs (their
// producers lie in D), outputs with an excluded reader and spilled parameters only grow from I to S, so above r t no leaf is a stage;
// g(S) <= (r - 1) t is the business of fewer devices; work(S) <= r t - in - out - spill of I bounds value(L) from above, the type of L only
// grows and is known once a missing group of the order is excluded for good. For an excluded v of the leaf rule, what S + v costs beyond S
// is at most what it is now (spill: at most its parameters in full), and its tensors only lose readers: a subtree whose costs all stay at
// or below r t less that falls to the leaf rule as a whole. Exponential in the worst case; a few million search nodes a second.
// Deterministic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/bound/check_chain.hpp"
#include "sluice/bound/check_dominance.hpp"
#include "sluice/bound/check_groups.hpp"

namespace sluice::bound {

/// What completions must fulfil below the threshold: value(L) >= need(devices left, type of L), for downsets L other than everything, where
/// value(L) = factor (work(L) - cut(L)) + sum of share over L. The type is the first position of `order` missing, or, mirrored, one more
/// than the last one inside.
struct CheckedTable {
    std::vector<std::uint32_t> order, position;  // groups; positions per group
    bool mirrored = false;
    std::int64_t factor = 1;
    CheckedWide allowance = 0;                  // factor work(S) + share(S) <= factor (work(S) + spill(S)) + allowance
    std::vector<std::int64_t> share;            // per group; empty: none
    std::int64_t everything = 0;                // value of all groups: complete, whatever the table asks for
    std::size_t width = 0;                      // types: groups + 1
    std::vector<std::int64_t> need, need_from;  // per devices left: by type; and least of it, all later types and everything

    /// From `need` as the chain of cuts gives it: what completes with some devices does with more, so each row takes the most of all rows
    /// from it up.
    void settle();
};

struct CheckedDownset {
    graph::NodeSet set;
    std::int64_t used = 0;   // devices
    std::int64_t value = 0;  // work - cut
};

/// A search below one threshold. All downsets kept, largest value first; every one is to be expanded.
struct CheckedSearch {
    const CheckedGroups* groups = nullptr;
    std::int64_t threshold = 0, devices = 0, replicas = 1;
    std::vector<CheckedTable> tables;
    std::vector<std::int64_t> counting;  // per group, over a stage on r devices at most r << kCheckedShift; empty: not used
    std::vector<CheckedDownset> kept;
};

/// nullopt: no partition exists on search.devices devices. Else why that is not proven.
[[nodiscard]] std::optional<std::string> objection_to(const CheckedSearch& search, const Limits& limits);

}  // namespace sluice::bound
