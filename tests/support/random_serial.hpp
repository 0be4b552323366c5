// Serial problems as search/ meets them, and topological orders of their groups.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "sluice/search/serial_problem.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::test {

using search::SerialProblem;

inline std::vector<SerialProblem::Index> some_order(const SerialProblem& problem, RandomStream& random) {
    if (random.chance(0.5)) return heavy_cone_order(problem, random.chance(0.5));
    std::vector<SerialProblem::Index> order, ready;
    std::vector<std::size_t> waiting(problem.group_count());
    for (std::size_t g = 0; g < waiting.size(); ++g)
        if ((waiting[g] = problem.predecessors[g].size()) == 0) ready.push_back(static_cast<SerialProblem::Index>(g));
    while (!ready.empty()) {
        std::swap(ready[random.below(ready.size())], ready.back());
        order.push_back(ready.back());
        ready.pop_back();
        for (SerialProblem::Index next : problem.successors[order.back()])
            if (--waiting[next] == 0) ready.push_back(next);
    }
    return order;
}

/// Serial, overlap, classes, host links, hard memory; replicas; merged or not.
inline std::optional<SerialProblem> some_problem(RandomStream& random, std::size_t operators) {
    auto options = random.chance(0.5) ? RandomProblemOptions::everything(operators) : RandomProblemOptions{};
    options.max_operators = operators;
    options.largest_transfer = random.chance(0.5) ? 10 : 40;
    const auto original = random_problem(random, options, 5);
    const auto charges = search::charges_for(original.model);
    auto problem = search::relax_to_serial(original, random.between(1, 5), random.chance(0.7) ? 1 : random.between(2, 3),
                                           charges[random.below(charges.size())]);
    if (problem && random.chance(0.5)) return search::merge_safely(*std::move(problem));
    return problem;
}

}  // namespace sluice::test
