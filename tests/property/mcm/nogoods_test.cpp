// What the solver learns from failed compiles, many at a time, with decisions taken back over them.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "sluice/mcm/sample.hpp"
#include "tests/support/chips.hpp"
#include "tests/support/effort.hpp"

namespace sluice::mcm {
namespace {

using Nodes = std::vector<NodeId>;

/// Of those at hand; in any order, sometimes one of them twice.
Nodes some_of(Nodes nodes, std::size_t least, RandomStream& random) {
    random.shuffle(std::span(nodes));
    nodes.resize(std::max<std::size_t>(std::min(least, nodes.size()), 1 + random.below(nodes.size())));
    if (random.chance(0.2)) nodes.push_back(nodes[random.below(nodes.size())]);
    return nodes;
}

bool on_one_chip(const Nodes& nodes, const Assignment& chips) {
    return std::ranges::all_of(nodes, [&](NodeId node) { return chips[node.index()] == chips[nodes.front().index()]; });
}

/// Each sample is legal and teaches the solver that something on one of its chips failed, until nothing legal is left: no sooner, no later.
TEST(Nogoods, AreLearntUntilNothingLegalIsLeft) {
    std::size_t learnt = 0, most = 0, taken_back = 0;
    for (std::uint64_t seed = 0; seed < test::cases(400); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 14);
        const auto costs = test::random_problem(random, {.min_operators = 4, .max_operators = 7});
        auto problem = test::random_chips(costs, 4, random);
        problem.chips = std::max<std::size_t>(problem.chips, 3);
        problem.nogoods.clear();
        auto legal = test::legal_assignments(problem);
        ChipSolver solver(problem);
        for (std::size_t round = 0;; ++round) {
            const auto order = walk_order(costs, kWalkOrders[random.below(kWalkOrders.size())], random);
            const auto drawn = sample(solver, {}, order, random, {.backtracks = ~std::uint64_t{0}});
            ASSERT_EQ(drawn.has_value(), !legal.empty());
            if (!drawn) break;
            taken_back += drawn->counts.backtracks;
            ASSERT_TRUE(std::ranges::contains(legal, drawn->chips));
            const std::uint8_t chip = drawn->chips[random.below(drawn->chips.size())];
            Nodes here;
            for (std::size_t v = 0; v < drawn->chips.size(); ++v)
                if (drawn->chips[v] == chip) here.emplace_back(v);
            const Nodes nogood = random.chance(0.9) ? here : some_of(here, 2, random);
            std::erase_if(legal, [&](const Assignment& chips) { return on_one_chip(nogood, chips); });
            solver.learn(nogood);
            ++learnt;
            most = std::max(most, round);
        }
    }
    EXPECT_GT(learnt, test::cases(400) * 3);
    EXPECT_GT(most, 12U / test::one_in(3));
    EXPECT_GT(taken_back, test::cases(400) * 2);
}

/// Larger graphs: whatever stands, no set is on one chip, and one that has a single open member left on a chip has lost that chip for it.
TEST(Nogoods, LeaveNoChipOnWhichASetWouldBeWhole) {
    std::size_t close = 0, taken_back = 0, ended = 0;
    for (std::uint64_t seed = 0; seed < test::cases(200); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 15);
        const auto costs = test::random_problem(random, {.min_operators = 10, .max_operators = 30});
        auto problem = test::random_chips(costs, 5, random);
        problem.nogoods.clear();
        ChipSolver solver(problem);
        const std::size_t nodes = costs.node_count();
        Nodes all;
        for (std::size_t v = 0; v < nodes; ++v) all.emplace_back(v);
        std::vector<Nodes> learnt;
        const auto check = [&] {
            for (const Nodes& nogood : learnt) {
                std::uint64_t chips = 0;
                Nodes open;
                for (const NodeId node : nogood)
                    if (!solver.decided(node))
                        open.push_back(node);
                    else
                        chips |= std::uint64_t{1} << solver.chip(node);
                std::ranges::sort(open);
                open.erase(std::ranges::unique(open).begin(), open.end());
                if (!std::has_single_bit(chips)) continue;
                ASSERT_FALSE(open.empty()) << "all on one chip";
                if (open.size() > 1) continue;
                ++close;
                ASSERT_EQ(solver.domain(open.front()) & chips, 0u);
            }
        };
        for (std::size_t walk = 0; walk < 25 && solver.consistent(); ++walk) {
            for (std::size_t i = random.below(8); i > 0; --i) {
                const std::size_t first = random.below(nodes - 1);  // most often neighbours, as on a chip
                const std::size_t count = 2 + random.below(std::min<std::size_t>(nodes - first - 1, 9));
                learnt.push_back(some_of(random.chance(0.7) ? Nodes(all.begin() + static_cast<std::ptrdiff_t>(first),
                                                                    all.begin() + static_cast<std::ptrdiff_t>(first + count))
                                                            : all,
                                         2, random));
                solver.learn(learnt.back());
            }
            if (!solver.consistent()) break;
            if (random.chance(0.5)) solver.reset();
            ASSERT_NO_FATAL_FAILURE(check());
            const auto backtracks = solver.counts().backtracks;
            for (std::size_t step = 0; step < 3 * nodes && solver.counts().backtracks < backtracks + 200; ++step) {
                const NodeId node(random.below(nodes));
                const std::uint64_t mask = random.below(std::uint64_t{1} << problem.chips);
                if ((mask & solver.domain(node)) == 0 || solver.decided(node)) continue;
                if (!solver.restrict(node, mask)) break;
                ASSERT_NO_FATAL_FAILURE(check());
            }
            taken_back += solver.counts().backtracks - backtracks;
            ended += std::ranges::all_of(all, [&](NodeId node) { return solver.decided(node); });
        }
    }
    EXPECT_GT(close, test::cases(200) * 100);
    EXPECT_GT(taken_back, test::cases(200) * 20);
    EXPECT_GT(ended, test::cases(200));
}

}  // namespace
}  // namespace sluice::mcm
