// Simulated annealing on the judge's verdicts, one evaluation a proposal; what was judged before is not judged again.
//   node    an operator goes to a chip nearby; FIX (nearest) decides it first and moves what has to move with it
//   cut     one or several neighbouring cuts of an order are shifted; FIX repairs the slices
//   smooth  moves as for node; what is minimised is the p-norm of the chip times, where the verdict tells them (else the period): the
//           largest of them alone is a plateau, few moves change it
// Start: options.start when there is one, else what the method's name says: a random SAMPLE (cut: random cuts), or equal work.
// Energy: the logarithm of what is minimised. Temperatures fall geometrically over the budget from `hot` to `cold` times the mean of the
// first changes for the worse; moves get shorter along with them. Defaults were tuned at 1,000 evaluations, 36 chips and the rules of the
// paper, 2 seeds, on a BERT-like graph of 24 layers (tests/support/chips.hpp) and two random branchy ones of 400 operators, one setting for
// all. O(FIX) a proposal.
#pragma once

#include "sluice/mcm/registry.hpp"

namespace sluice::mcm {

enum class AnnealMoves { node, cut, smooth };
enum class AnnealStart { random, equal_work };

struct AnnealOptions {
    AnnealMoves moves = AnnealMoves::node;
    AnnealStart start = AnnealStart::random;
    double hot = 0.03, cold = 0.0003;
    double far = 0.7;    // share of moves by more than one chip (cut: of more than one cut), in the beginning; it falls to 0
    double norm = 8;     // smooth
    double heavy = 0.4;  // smooth: share of moves of operators on the chip that takes longest
    double step = 1;     // cut: mean way of a cut in the beginning, in average chips; it falls to one operator
};

/// The tuned ones.
[[nodiscard]] constexpr AnnealOptions anneal_options(AnnealMoves moves, AnnealStart start) {
    AnnealOptions how{.moves = moves, .start = start};
    const bool equal_work = start == AnnealStart::equal_work;
    switch (moves) {
        case AnnealMoves::node:
            if (equal_work) how.cold = 0.001, how.far = 0.2;
            break;
        case AnnealMoves::cut:
            how.cold = 0.001, how.far = 0.9;
            if (equal_work) how.hot = 0.003, how.cold = 0.0001, how.far = 0.5, how.step = 0.1;
            break;
        case AnnealMoves::smooth:
            how.cold = 0.001, how.far = 0.8;
            if (equal_work) how.hot = 0.01, how.far = 0.3;
            break;
    }
    return how;
}

[[nodiscard]] Result<PlannerResult> plan_by_annealing(const ChipProblem& problem, const AnnealOptions& how, const PlannerOptions& options,
                                                      Observer& observer, const Limits& limits);

}  // namespace sluice::mcm
