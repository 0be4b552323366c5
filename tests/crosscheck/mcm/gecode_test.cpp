// The rules of the ring as a model for Gecode, every solution of it, against the propagator and the checker.
#include <gtest/gtest.h>

#include <algorithm>
#include <gecode/int.hh>
#include <gecode/minimodel.hh>
#include <gecode/search.hh>

#include "sluice/mcm/chip_solver.hpp"
#include "tests/support/chips.hpp"
#include "tests/support/effort.hpp"

namespace sluice::mcm {
namespace {

using Solutions = std::vector<Assignment>;

class Ring final : public Gecode::Space {
public:
    explicit Ring(const ChipProblem& problem) : Ring(problem, static_cast<int>(problem.node_count()), static_cast<int>(problem.chips)) {}
    Ring(Ring& other) : Space(other) { chip_.update(*this, other.chip_); }
    Gecode::Space* copy() override { return new Ring(*this); }

    [[nodiscard]] Assignment assignment() const {
        Assignment chips;
        for (int v = 0; v < chip_.size(); ++v) chips.push_back(static_cast<std::uint8_t>(chip_[v].val()));
        return chips;
    }

private:
    Ring(const ChipProblem& problem, int nodes, int chips) : chip_(*this, nodes, 0, chips - 1) {
        using namespace Gecode;
        const cost::StageProblem& costs = *problem.costs;
        const auto none = [&] { return expr(*this, chip_[0] < 0); };
        // on[v][d]
        std::vector<std::vector<BoolVar>> on(static_cast<std::size_t>(nodes));
        for (int v = 0; v < nodes; ++v)
            for (int d = 0; d < chips; ++d) on[static_cast<std::size_t>(v)].push_back(expr(*this, chip_[v] == d));
        const auto any = [&](const std::vector<BoolVar>& of) {
            BoolVar result = none();
            for (const BoolVar& one : of) result = expr(*this, result || one);
            return result;
        };
        const auto size = static_cast<std::size_t>(chips);
        std::vector<std::vector<std::vector<BoolVar>>> feeding(size, std::vector<std::vector<BoolVar>>(size));
        for (int v = 0; v < nodes; ++v)
            for (const NodeId next : costs.successors[static_cast<std::size_t>(v)]) {
                const auto w = static_cast<int>(next.index());
                if (problem.rules.acyclic) rel(*this, chip_[v] <= chip_[w]);
                if (problem.rules.adjacent) rel(*this, chip_[w] <= chip_[v] + 1);
                for (std::size_t a = 0; a < size; ++a)
                    for (std::size_t b = 0; b < size; ++b)
                        if (a != b) feeding[a][b].push_back(expr(*this, on[static_cast<std::size_t>(v)][a] && on[next.index()][b]));
            }
        if (problem.rules.no_skip)
            for (std::size_t d = 1; d < size; ++d) {
                std::vector<BoolVar> here, before;
                for (const auto& node : on) here.push_back(node[d]), before.push_back(node[d - 1]);
                rel(*this, any(here) >> any(before));
            }
        if (problem.rules.triangle) {
            std::vector<std::vector<BoolVar>> edge(size), walk(size);
            for (std::size_t a = 0; a < size; ++a)
                for (std::size_t b = 0; b < size; ++b) edge[a].push_back(any(feeding[a][b]));
            walk = edge;  // of at most so many hops
            std::vector<std::vector<BoolVar>> longer(size);
            for (std::size_t hops = 2; hops <= size + 1; ++hops)
                for (std::size_t a = 0; a < size; ++a) {
                    std::vector<BoolVar> row;
                    longer[a].clear();
                    for (std::size_t b = 0; b < size; ++b) {
                        std::vector<BoolVar> through;
                        for (std::size_t c = 0; c < size; ++c) through.push_back(expr(*this, edge[a][c] && walk[c][b]));
                        longer[a].push_back(any(through));
                        row.push_back(expr(*this, walk[a][b] || longer[a][b]));
                    }
                    walk[a] = row;
                }
            for (std::size_t a = 0; a < size; ++a)
                for (std::size_t b = 0; b < size; ++b)
                    if (a != b) rel(*this, !(edge[a][b] && longer[a][b]));
        }
        if (problem.rules.memory && problem.sram)
            for (std::size_t d = 0; d < size; ++d) {
                IntArgs bytes;
                BoolVarArgs held;
                for (std::size_t w = 0; w < costs.weight_count(); ++w) {
                    std::vector<BoolVar> users;
                    for (const NodeId user : costs.weight_users[w]) users.push_back(on[user.index()][d]);
                    bytes << static_cast<int>(costs.weight_bytes[w].count);
                    held << any(users);
                }
                if (bytes.size() > 0) linear(*this, bytes, held, IRT_LQ, static_cast<int>(problem.sram->count));
            }
        for (const auto& nogood : problem.nogoods)
            for (std::size_t d = 0; d < size; ++d) {
                std::vector<BoolVar> elsewhere;
                for (const NodeId node : nogood) elsewhere.push_back(expr(*this, !on[node.index()][d]));
                rel(*this, any(elsewhere));
            }
        branch(*this, chip_, INT_VAR_NONE(), INT_VAL_MIN());
    }

    Gecode::IntVarArray chip_;
};

Solutions all_by_gecode(const ChipProblem& problem) {
    Solutions all;
    Ring root(problem);
    Gecode::DFS<Ring> search(&root);
    while (const std::unique_ptr<Ring> solution{search.next()}) all.push_back(solution->assignment());
    std::ranges::sort(all);
    return all;
}

/// Every way of deciding node after node by what the propagator leaves.
class Enumeration {
public:
    explicit Enumeration(const ChipProblem& problem) : solver_(problem) {
        if (solver_.consistent()) descend();
        std::ranges::sort(all);
    }
    Solutions all;

private:
    /// False: what stands of `chips_` has no solution.
    [[nodiscard]] bool stands() {
        solver_.reset();
        for (std::size_t v = 0; v < chips_.size(); ++v) {
            const std::uint64_t mask = std::uint64_t{1} << chips_[v];
            if ((solver_.domain(NodeId(v)) & mask) == 0) return false;
            const auto standing = solver_.restrict(NodeId(v), mask);
            if (!standing || *standing <= v) return false;
        }
        return true;
    }
    void descend() {
        if (!stands()) return;
        if (chips_.size() == solver_.problem().node_count()) {
            all.push_back(chips_);
            return;
        }
        const std::uint64_t left = solver_.domain(NodeId(chips_.size()));
        for (std::size_t chip = 0; chip < solver_.problem().chips; ++chip) {
            if ((left >> chip & 1) == 0) continue;
            chips_.push_back(static_cast<std::uint8_t>(chip));
            descend();
            chips_.pop_back();
        }
    }

    ChipSolver solver_;
    Assignment chips_;
};

TEST(Gecode, HasTheSameSolutions) {
    std::size_t solutions = 0, without = 0;
    for (std::uint64_t seed = 0; seed < test::cases(3'000); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 11);
        const auto costs = test::random_problem(random, {.max_operators = 6});
        const auto problem = test::random_chips(costs, 4, random);
        const Solutions gecode = all_by_gecode(problem);
        Solutions checker = test::legal_assignments(problem);
        std::ranges::sort(checker);
        ASSERT_EQ(gecode, checker);
        ASSERT_EQ(Enumeration(problem).all, gecode);
        solutions += gecode.size();
        without += gecode.empty();
    }
    EXPECT_GT(solutions, 4 * test::cases(3'000));
    EXPECT_GT(without * 100, test::cases(3'000));
}

}  // namespace
}  // namespace sluice::mcm
