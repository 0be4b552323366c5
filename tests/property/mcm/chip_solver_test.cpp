#include "sluice/mcm/chip_solver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <map>

#include "sluice/mcm/sample.hpp"
#include "tests/support/chips.hpp"
#include "tests/support/effort.hpp"

namespace sluice::mcm {
namespace {

using Solutions = std::vector<Assignment>;
constexpr WalkLimits kNoLimit{.backtracks = ~std::uint64_t{0}};

struct SolverCase {
    const ChipProblem& problem;
    const Solutions& legal;
};
void for_each_solver_case(std::uint64_t count, const std::function<void(RandomStream&, const SolverCase&)>& check) {
    for (std::uint64_t seed = 0; seed < test::cases(count); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 7);
        const auto costs = test::random_problem(random, {.max_operators = 7});
        const auto problem = test::random_chips(costs, 4, random);
        const Solutions legal = test::legal_assignments(problem);
        check(random, {problem, legal});
        if (::testing::Test::HasFailure()) return;
    }
}

WalkOrder any_order(RandomStream& random) { return kWalkOrders[random.below(kWalkOrders.size())]; }

/// The rules as the paper words them, by Δ itself: in a chip graph without cycles the longest path by enumeration.
TEST(ChipFaults, TriangleIsTheLongestPath) {
    std::size_t refused = 0, accepted = 0;
    for (std::uint64_t seed = 0; seed < test::cases(20'000); ++seed) {
        RandomStream random(seed, 6);
        const auto costs = test::random_problem(random, {.max_operators = 12});
        const auto problem = test::on_chips(costs, 5, {.no_skip = false});
        Assignment chips(costs.node_count());
        std::uint8_t chip = 0;
        for (auto& c : chips) c = chip = static_cast<std::uint8_t>(std::min<std::uint64_t>(4, chip + (random.chance(0.4) ? 1 : 0)));
        bool edge[5][5] = {};
        for (std::size_t v = 0; v < chips.size(); ++v)
            for (const NodeId next : costs.successors[v])
                if (chips[v] != chips[next.index()]) edge[chips[v]][chips[next.index()]] = true;
        const std::function<int(std::size_t, std::size_t)> longest = [&](std::size_t a, std::size_t b) {
            int most = a == b ? 0 : -9;
            for (std::size_t c = a + 1; c < 5; ++c)
                if (edge[a][c]) most = std::max(most, 1 + longest(c, b));
            return most;
        };
        bool legal = true;
        for (std::size_t a = 0; a < 5; ++a)
            for (std::size_t b = a + 1; b < 5; ++b) legal = legal && (!edge[a][b] || longest(a, b) == 1);
        EXPECT_EQ(chip_faults(problem, chips).empty(), legal) << seed;
        (legal ? accepted : refused) += 1;
    }
    EXPECT_GT(refused * 20, accepted);
    EXPECT_GT(accepted * 20, refused);
}

/// Decisions in any sequence, with any masks: what stands is followed from what `restrict` returns alone.
TEST(ChipSolver, RemovesNothingThatIsPartOfASolution) {
    std::size_t taken_back = 0, ended = 0;
    for_each_solver_case(1'500, [&](RandomStream& random, const SolverCase& c) {
        ChipSolver solver(c.problem);
        const std::size_t nodes = c.problem.node_count();
        struct Narrowed {
            NodeId node;
            std::uint64_t mask;
        };
        std::vector<Narrowed> decisions;
        std::vector<std::vector<Narrowed>> refuted(1);  // under so many decisions
        const auto possible = [&](std::size_t levels) {
            Solutions left = c.legal;
            const auto keep = [&](const Narrowed& by) {
                std::erase_if(left, [&](const Assignment& chips) { return (by.mask >> chips[by.node.index()] & 1) == 0; });
            };
            for (std::size_t l = 0; l < levels; ++l) keep(decisions[l]);
            for (std::size_t l = 0; l <= levels && l < refuted.size(); ++l) std::ranges::for_each(refuted[l], keep);
            return left;
        };
        const auto agrees = [&] {
            const Solutions left = possible(decisions.size());
            for (std::size_t v = 0; v < nodes; ++v) {
                ASSERT_NE(solver.domain(NodeId(v)), 0u);
                for (const Assignment& chips : left) ASSERT_NE(solver.domain(NodeId(v)) >> chips[v] & 1, 0u);
                if (solver.decided(NodeId(v))) { ASSERT_EQ(solver.domain(NodeId(v)), std::uint64_t{1} << solver.chip(NodeId(v))); }
            }
        };
        if (!solver.consistent()) {
            ASSERT_TRUE(c.legal.empty());
            return;
        }
        agrees();
        for (std::size_t step = 0; step < 60; ++step) {
            Assignment chips(nodes);
            bool all = true;
            for (std::size_t v = 0; v < nodes; ++v) {
                all = all && solver.decided(NodeId(v));
                chips[v] = static_cast<std::uint8_t>(solver.chip(NodeId(v)));
            }
            if (all) {
                ASSERT_TRUE(chip_faults(c.problem, chips).empty());
                ++ended;
                solver.reset();
                decisions.clear();
                refuted.assign(1, {});
                agrees();
            }
            const NodeId node(random.below(nodes));
            std::uint64_t mask = 0;
            while ((mask & solver.domain(node)) == 0) mask = random.below(std::uint64_t{1} << c.problem.chips);
            decisions.push_back({node, mask});
            refuted.emplace_back();
            const auto stand = solver.restrict(node, mask);
            if (!stand) {
                ASSERT_TRUE(c.legal.empty());
                return;
            }
            ASSERT_EQ(*stand, solver.depth());
            if (*stand < decisions.size()) {
                ++taken_back;
                ASSERT_TRUE(possible(*stand + 1).empty());
                const Narrowed failed = decisions[*stand];
                decisions.resize(*stand);
                refuted.resize(*stand + 1);
                refuted.back().push_back({failed.node, ~failed.mask});
            }
            agrees();
            if (::testing::Test::HasFailure()) return;
        }
    });
    EXPECT_GT(taken_back, test::cases(100));
    EXPECT_GT(ended, test::cases(1'000));
}

TEST(ChipSolver, FindsALegalAssignmentWhereThereIsOne) {
    std::size_t none = 0;
    for_each_solver_case(1'500, [&](RandomStream& random, const SolverCase& c) {
        ChipSolver solver(c.problem);
        const auto order = walk_order(*c.problem.costs, any_order(random), random);
        const auto drawn = sample(solver, {}, order, random, kNoLimit);
        ASSERT_EQ(drawn.has_value(), !c.legal.empty());
        if (!drawn) {
            ++none;
            EXPECT_EQ(drawn.error().kind, DiagnosticKind::infeasible);
            return;
        }
        EXPECT_TRUE(std::ranges::contains(c.legal, drawn->chips));
        double expected = 0;
        for (std::size_t i = 0; i < order.size(); ++i) {
            EXPECT_NE(drawn->masks[i] >> drawn->chips[order[i].index()] & 1, 0u);
            expected -= std::log(std::popcount(drawn->masks[i]));
        }
        EXPECT_NEAR(drawn->log_probability, expected, 1e-9);
    });
    EXPECT_GT(none, test::cases(100));
}

/// The difference form: whatever is chosen can be completed, and the probabilities of all legal assignments sum to one.
TEST(ChipSolver, DomainsAreExactInTheDifferenceForm) {
    std::size_t checked = 0;
    for (std::uint64_t seed = 0; seed < test::cases(600); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 8);
        const auto costs = test::random_problem(random, {.min_operators = 2, .max_operators = 6, .largest_fanout = 5});
        auto problem = test::on_chips(costs, 1 + random.below(4), {.adjacent = true});
        const auto whole = [&] {  // weakly connected
            const auto order = walk_order(costs, WalkOrder::from_middle, random);
            for (std::size_t i = 1; i < order.size(); ++i)
                if (std::ranges::none_of(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(i), [&](NodeId before) {
                        return std::ranges::contains(costs.successors[before.index()], order[i]) ||
                               std::ranges::contains(costs.predecessors[before.index()], order[i]);
                    }))
                    return false;
            return true;
        };
        if (!whole()) continue;
        const Solutions legal = test::legal_assignments(problem);
        ChipSolver solver(problem);
        const auto order = walk_order(costs, any_order(random), random);
        std::vector<float> probabilities;
        for (std::size_t i = 0; i < costs.node_count() * problem.chips; ++i)
            probabilities.push_back(static_cast<float>(0.2 + random.unit()));
        std::map<Assignment, double> seen;
        for (std::size_t i = 0; i < 5'000 && seen.size() < legal.size(); ++i) {
            const auto drawn = sample(solver, probabilities, order, random);
            ASSERT_TRUE(drawn.has_value());
            ASSERT_EQ(drawn->counts.backtracks, 0u);
            seen.emplace(drawn->chips, std::exp(drawn->log_probability));
        }
        if (seen.size() < legal.size()) continue;
        double sum = 0;
        for (const auto& [chips, probability] : seen) sum += probability;
        EXPECT_NEAR(sum, 1, 1e-5);
        ++checked;
    }
    EXPECT_GT(checked, test::cases(200));
}

/// Undoing leaves nothing behind: after any walks and lessons a solver leaves the same chips as one that was only told the lessons.
TEST(ChipSolver, DecidesAfterManyWalksAsAFreshOneDoes) {
    std::size_t compared = 0, taken_back = 0;
    for (std::uint64_t seed = 0; seed < test::cases(600); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 16);
        const auto costs = test::random_problem(random, {.min_operators = 4, .max_operators = 14});
        auto problem = test::random_chips(costs, 5, random);
        problem.chips = std::max<std::size_t>(problem.chips, 3);
        std::erase_if(problem.nogoods, [](const auto& nogood) { return nogood.size() == 1; });
        ChipSolver used(problem);
        const std::size_t nodes = costs.node_count();
        for (std::size_t walk = 0; walk < 6 && used.consistent(); ++walk) {
            const auto order = walk_order(costs, kWalkOrders[random.below(kWalkOrders.size())], random);
            const auto drawn = sample(used, {}, order, random, {.backtracks = random.below(30)});
            if (!drawn || !random.chance(0.5)) continue;
            std::vector<NodeId> nogood;
            for (std::size_t v = 0; v < nodes; ++v)
                if (drawn->chips[v] == drawn->chips[0] && (nogood.size() < 2 || random.chance(0.5))) nogood.emplace_back(v);
            problem.nogoods.push_back(nogood);
            used.learn(nogood);
        }
        ChipSolver fresh(problem);
        if (!used.consistent()) continue;
        used.reset();
        const auto before = used.counts().backtracks;
        for (std::size_t step = 0; step < 8 * nodes; ++step) {
            for (std::size_t v = 0; v < nodes; ++v) {
                ASSERT_EQ(used.domain(NodeId(v)), fresh.domain(NodeId(v)));
                ASSERT_EQ(used.decided(NodeId(v)), fresh.decided(NodeId(v)));
            }
            const NodeId node(random.below(nodes));
            const std::uint64_t mask = random.below(std::uint64_t{1} << problem.chips);
            const auto stand = used.restrict(node, mask);
            ASSERT_EQ(stand, fresh.restrict(node, mask));
            if (!stand) break;
            ++compared;
            if (!random.chance(0.02)) continue;
            used.reset();
            fresh.reset();
        }
        taken_back += used.counts().backtracks - before;
        ASSERT_EQ(used.counts().backtracks - before, fresh.counts().backtracks);
    }
    EXPECT_GT(compared, test::cases(600) * 20);
    EXPECT_GT(taken_back, test::cases(600));
}

/// An edge of two decided nodes more, alone, and the chip graph would hold a triangle: such a chip is not left.
TEST(ChipSolver, LeavesNoNeighbourAChipThatClosesATriangle) {
    constexpr std::size_t kChips = 5;
    std::size_t left = 0, refused = 0;
    for (std::uint64_t seed = 0; seed < test::cases(600); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 17);
        const auto costs = test::random_problem(random, {.min_operators = 6, .max_operators = 14});
        const auto problem = test::on_chips(costs, kChips, {.acyclic = random.chance(0.6), .no_skip = false, .memory = false});
        ChipSolver solver(problem);
        const std::size_t nodes = costs.node_count();
        using Feeds = std::array<std::uint64_t, kChips>;
        const auto triangle = [](const Feeds& feeds) {
            Feeds reached = feeds;
            for (std::size_t hops = 0; hops < kChips; ++hops)
                for (std::size_t a = 0; a < kChips; ++a)
                    for (std::size_t b = 0; b < kChips; ++b)
                        if ((reached[a] >> b & 1) != 0) reached[a] |= reached[b];
            for (std::size_t a = 0; a < kChips; ++a)
                for (std::size_t b = 0; b < kChips; ++b)
                    if ((feeds[a] >> b & 1) != 0 && (feeds[a] & reached[b]) != 0) return true;
            return false;
        };
        for (std::size_t step = 0; step < 3 * nodes && solver.consistent(); ++step) {
            const NodeId node(random.below(nodes));
            if (!solver.restrict(node, std::uint64_t{1} << random.below(kChips))) break;
            Feeds feeds{};
            for (std::size_t v = 0; v < nodes; ++v)
                for (const NodeId next : costs.successors[v])
                    if (solver.decided(NodeId(v)) && solver.decided(next) && solver.chip(NodeId(v)) != solver.chip(next))
                        feeds[solver.chip(NodeId(v))] |= std::uint64_t{1} << solver.chip(next);
            ASSERT_FALSE(triangle(feeds));
            for (std::size_t v = 0; v < nodes; ++v)
                for (const NodeId next : costs.successors[v]) {
                    const bool forward = solver.decided(NodeId(v));
                    if (forward == solver.decided(next)) continue;
                    const std::size_t end = solver.chip(forward ? NodeId(v) : next);
                    for (std::size_t d = 0; d < kChips; ++d) {
                        if (d == end) continue;
                        Feeds more = feeds;
                        more[forward ? end : d] |= std::uint64_t{1} << (forward ? d : end);
                        const bool possible = (solver.domain(forward ? next : NodeId(v)) >> d & 1) != 0;
                        if (possible) { ASSERT_FALSE(triangle(more)) << v << " -> " << next.index() << ", " << d; }
                        left += possible;
                        refused += triangle(more);
                    }
                }
        }
    }
    EXPECT_GT(left, test::cases(600) * 20);
    EXPECT_GT(refused, test::cases(600) * 20);
}

TEST(Fix, KeepsALegalCandidateAndMakesOthersLegal) {
    for_each_solver_case(1'500, [&](RandomStream& random, const SolverCase& c) {
        if (c.legal.empty()) return;
        ChipSolver solver(c.problem);
        const auto order = walk_order(*c.problem.costs, any_order(random), random);
        const OpenNodes open = random.chance(0.5) ? OpenNodes::nearest : OpenNodes::random;
        const Assignment& legal = c.legal[random.below(c.legal.size())];
        const auto same = fix(solver, legal, order, open, random, kNoLimit);
        ASSERT_TRUE(same.has_value());
        EXPECT_EQ(same->chips, legal);
        EXPECT_EQ(same->kept, legal.size());
        EXPECT_EQ(same->counts.backtracks, 0u);

        Assignment candidate(legal.size());
        for (auto& chip : candidate) chip = static_cast<std::uint8_t>(random.below(c.problem.chips));
        RandomStream one(5), two(5);
        const auto fixed = fix(solver, candidate, order, open, one, kNoLimit);
        ASSERT_TRUE(fixed.has_value());
        EXPECT_TRUE(std::ranges::contains(c.legal, fixed->chips));
        EXPECT_EQ(fix(solver, candidate, order, open, two, kNoLimit)->chips, fixed->chips);
    });
}

TEST(Sample, IsLegalInLargerGraphsAndTheSameForASeed) {
    std::size_t found = 0;
    for (std::uint64_t seed = 0; seed < test::cases(1'500); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 9);
        const auto costs = test::random_problem(random, {.max_operators = 60});
        const auto problem = test::random_chips(costs, kMostChips, random);
        const auto order = walk_order(costs, any_order(random), random);
        ChipSolver solver(problem), other(problem);
        RandomStream one(seed), two(seed);
        const auto drawn = sample(solver, {}, order, one, {.backtracks = 300});
        const auto again = sample(other, {}, order, two, {.backtracks = 300});
        ASSERT_EQ(drawn.has_value(), again.has_value());
        if (!drawn) continue;
        ++found;
        EXPECT_EQ(drawn->chips, again->chips);
        EXPECT_EQ(drawn->masks, again->masks);
        const auto faults = chip_faults(problem, drawn->chips);
        EXPECT_TRUE(faults.empty()) << faults.front().message;
    }
    EXPECT_GT(found, test::cases(200));
}

}  // namespace
}  // namespace sluice::mcm
