#include "sluice/mcm/chip_solver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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
