// The published baseline: a biased random-key genetic algorithm over orders.
// Source: Archer, Fahrbach, Liu, Prabhu, ICML 2024, Algorithm 2 (BrkgaSortAndSlice); Goncalves and Resende, "Biased random-key genetic
// algorithms for combinatorial optimization", J. Heuristics 2011. Keys in [0, 1) as 32-bit fractions -> Kahn's algorithm, smallest key
// first -> slice DP -> fitness. The paper does not name its shares: PlannerOptions::genetic.
// An evaluation is a member of a generation, elites included (their fitness is copied): `size` x `generations` in all. evolution.hpp says
// what the result depends on and what it costs.
#pragma once

#include "sluice/inference/registry.hpp"

namespace sluice::inference {

struct GeneticSize {
    std::size_t population = 100, generations = 100;
};

/// Members of each kind in a generation of this size, rounded to the nearest: at least one elite and one that is none.
struct GeneticCounts {
    std::size_t elite = 0, mutants = 0;
};
[[nodiscard]] GeneticCounts counts_of(const GeneticShares& shares, std::size_t population);

/// Usage Diagnostic unless elite in (0, 1), mutants in [0, 1), both together at most 1, and bias in [0, 1].
[[nodiscard]] Result<void> check_shares(const GeneticShares& shares);
/// "elite=0.2,mutants=0.15,bias=0.7", each at most once and the others as they are by default; checked.
[[nodiscard]] Result<GeneticShares> read_shares(std::string_view text);

[[nodiscard]] Result<PlannerResult> plan_by_genetic(const cost::StageProblem& problem, const GeneticSize& size,
                                                    const PlannerOptions& options, Observer& observer, const Limits& limits);

}  // namespace sluice::inference
