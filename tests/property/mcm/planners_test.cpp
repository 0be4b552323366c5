// What every method of the multi-chip job promises, whatever the problem.
#include <gtest/gtest.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "sluice/mcm/registry.hpp"
#include "sluice/mcm/sample.hpp"
#include "tests/support/chips.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/judges.hpp"

namespace sluice::mcm {
namespace {

Result<PlannerResult> plan(const Planner& planner, const ChipProblem& problem, Judge& judge, std::int64_t evaluations,
                           std::uint64_t seed = 0, int threads = 1, const Assignment* start = nullptr) {
    SilentObserver observer;
    Limits limits;
    limits.evaluations = evaluations;
    return planner.plan(problem, {.seed = seed, .threads = threads, .judge = &judge, .start = start}, observer, limits);
}

ChipProblem any_problem(const cost::StageProblem& costs, std::size_t most_chips, RandomStream& random) {
    ChipProblem problem = test::random_chips(costs, most_chips, random);
    if (random.chance(0.25)) problem.rules.acyclic = problem.rules.relay = true;
    return problem;
}

/// These slice orders, or draw samples, and do nothing else: they may find none where the problem has one.
bool may_miss(const Planner& planner) {
    return planner.name == "auto" || planner.name == "order-dp" || planner.name == "residual" || planner.name == "policy";
}

/// These take long over every small problem: they are asked for some.
bool is_slow(const Planner& planner) { return planner.name == "auto" || planner.name == "residual"; }

test::RandomProblemOptions shape(std::size_t most) {
    test::RandomProblemOptions options{.max_operators = most};
    options.overlap = 0.3;
    options.host_link = 0.3;
    return options;
}

void check(const ChipProblem& problem, const PlannerResult& result, Judge& judge, std::int64_t limit) {
    const auto faults = chip_faults(problem, result.chips);
    EXPECT_TRUE(faults.empty()) << faults.front().message;
    ASSERT_TRUE(result.verdict.fits());
    EXPECT_EQ(result.verdict.period, judge.judge(result.chips)->period);
    EXPECT_LE(result.termination.evaluations, limit);
    ASSERT_FALSE(result.curve.empty());
    EXPECT_EQ(result.curve.back().period, result.verdict.period);
    EXPECT_LE(result.curve.back().evaluations, result.termination.evaluations);
    for (const auto& [before, after] : result.curve | std::views::pairwise) {
        EXPECT_LT(before.evaluations, after.evaluations);
        EXPECT_GT(before.period, after.period);
    }
    EXPECT_FALSE(result.winner.empty());
}

/// Small problems, all legal assignments known: a method finds one where there is one, says infeasible where not, and none is better than
/// the best.
TEST(ChipPlanners, SmallProblemsOfAllKinds) {
    std::size_t infeasible = 0, planned = 0;
    for (std::uint64_t seed = 0; seed < test::cases(250); ++seed) {
        RandomStream random(seed, 11);
        const auto costs = test::random_problem(random, shape(6));
        const auto problem = any_problem(costs, 4, random);
        const auto legal = test::legal_assignments(problem);
        Duration best = Duration::max();
        for (const Assignment& chips : legal) best = std::min(best, std::max(bottleneck(problem, chips), Duration{1}));
        for (const Planner& planner : planners()) {
            if (is_slow(planner) && seed % 32 != 0) continue;
            SCOPED_TRACE(::testing::Message() << planner.name << ", seed " << seed);
            test::FussyJudge judge(problem, problem.node_count(), true);
            const auto result = plan(planner, problem, judge, 20, seed);
            if (!result) {
                EXPECT_TRUE(legal.empty() || may_miss(planner)) << to_text(result.error());
                EXPECT_TRUE(may_miss(planner) || result.error().kind == DiagnosticKind::infeasible) << to_text(result.error());
                ++infeasible;
                continue;
            }
            ASSERT_EQ(result->termination.evaluations, judge.asked);
            check(problem, *result, judge, 20);
            EXPECT_GE(result->verdict.period, best);
            ++planned;
        }
        if (HasFailure()) return;
    }
    EXPECT_GT(infeasible, 0u);
    EXPECT_GT(planned, infeasible);
}

/// A compile step that says no: what is told is learnt, so that whatever compiles is found in the end.
TEST(ChipPlanners, GoOnAfterWhatDoesNotCompile) {
    std::size_t failed = 0, planned = 0;
    for (std::uint64_t seed = 0; seed < test::cases(150); ++seed) {
        RandomStream random(seed, 12);
        const auto costs = test::random_problem(random, shape(6));
        const auto problem = any_problem(costs, 4, random);
        const std::size_t most = 1 + random.below(3);
        const auto legal = test::legal_assignments(problem);
        const bool possible =
            std::ranges::any_of(legal, [&](const Assignment& chips) { return test::FussyJudge::compiles(problem, most, chips); });
        for (const Planner& planner : planners())
            for (const bool telling : {true, false}) {
                if (is_slow(planner) && seed % 32 != 0) continue;
                SCOPED_TRACE(::testing::Message() << planner.name << ", seed " << seed << (telling ? ", telling" : ""));
                test::FussyJudge judge(problem, most, telling);
                const auto result = plan(planner, problem, judge, 300, seed);
                if (result) {
                    EXPECT_TRUE(possible);
                    failed += static_cast<std::size_t>(result->failed);
                    check(problem, *result, judge, 300);
                    ++planned;
                } else {
                    EXPECT_TRUE(may_miss(planner) || result.error().kind == DiagnosticKind::infeasible) << to_text(result.error());
                    EXPECT_TRUE(!possible || !telling || may_miss(planner)) << to_text(result.error());
                }
            }
        if (HasFailure()) return;
    }
    EXPECT_GT(failed, planned / 10);
    EXPECT_GT(planned, test::cases(150) * planners().size() / 4);
}

/// Larger ones under the rules as they are: always an answer, the same at any number of threads, other seeds and budgets within the limit.
TEST(ChipPlanners, LargerProblems) {
    for (std::uint64_t seed = 0; seed < test::cases(10); ++seed) {
        RandomStream random(seed, 13);
        test::RandomProblemOptions options = shape(90);
        options.min_operators = seed % 4 == 0 ? 1 : 40;
        const auto costs = test::random_problem(random, options);
        const std::size_t chips[] = {1, 4, 36, 64};
        ChipProblem problem = test::on_chips(costs, chips[random.below(4)]);
        problem.rules.adjacent = seed % 5 == 1;
        problem.rules.relay = seed % 5 == 2;
        problem.rules.triangle = seed % 5 != 3;
        for (const Planner& planner : planners()) {
            if ((planner.name == "exact" && costs.node_count() > 20) || (is_slow(planner) && seed % 8 != 1)) continue;
            SCOPED_TRACE(::testing::Message() << planner.name << ", seed " << seed << ", " << costs.node_count() << " operators, "
                                              << problem.chips << " chips");
            test::FussyJudge judge(problem, problem.node_count(), true);
            const auto limit = static_cast<std::int64_t>(1 + random.below(60));
            const auto result = plan(planner, problem, judge, limit, seed);
            if (!result && may_miss(planner)) continue;
            ASSERT_TRUE(result.has_value()) << to_text(result.error());
            check(problem, *result, judge, limit);
            const auto again = plan(planner, problem, judge, limit, seed, 3);
            ASSERT_TRUE(again.has_value());
            EXPECT_EQ(result->chips, again->chips);
            EXPECT_EQ(result->winner, again->winner);
            EXPECT_EQ(result->termination.evaluations, again->termination.evaluations);
        }
        if (HasFailure()) return;
    }
}

/// From a legal start that compiles, methods that improve give nothing worse back.
TEST(ChipPlanners, NeverWorseThanTheStart) {
    std::size_t better = 0;
    for (std::uint64_t seed = 0; seed < test::cases(40); ++seed) {
        RandomStream random(seed, 14);
        const auto costs = test::random_problem(random, shape(30));
        const auto problem = any_problem(costs, 8, random);
        ChipSolver solver(problem);
        const auto start = sample(solver, {}, walk_order(costs, WalkOrder::random, random), random);
        if (!start) continue;
        for (const Planner& planner : planners()) {
            if (!planner.name.starts_with("anneal") && planner.name != "brkga" && planner.name != "lns") continue;
            SCOPED_TRACE(::testing::Message() << planner.name << ", seed " << seed);
            test::FussyJudge judge(problem, problem.node_count(), true);
            const auto first = judge.judge(start->chips)->period;
            const auto result = plan(planner, problem, judge, 40, seed, 2, &start->chips);
            ASSERT_TRUE(result.has_value()) << to_text(result.error());
            check(problem, *result, judge, 40);
            EXPECT_LE(result->verdict.period, first);
            EXPECT_EQ(result->curve.front().evaluations, 1);
            EXPECT_EQ(result->curve.front().period, first);
            better += result->verdict.period < first;
        }
        if (HasFailure()) return;
    }
    EXPECT_GT(better + 8, test::cases(40) * 3);  // a few seeds alone may have starts that nothing beats
}

TEST(ChipPlanners, WithoutAnEvaluationOrWithABrokenJudge) {
    const auto costs = test::bert_like(1, false);
    const auto problem = test::on_chips(costs, 4);
    for (const Planner& planner : planners()) {
        SCOPED_TRACE(planner.name);
        AnalyticJudge judge(problem);
        const auto none = plan(planner, problem, judge, 0);
        ASSERT_FALSE(none.has_value());
        EXPECT_EQ(none.error().kind, DiagnosticKind::stopped);
        test::BrokenJudge broken(problem, 0);
        const auto nothing = plan(planner, problem, broken, 10);
        ASSERT_FALSE(nothing.has_value());
        EXPECT_EQ(nothing.error().message, "the machine is on fire");
        test::BrokenJudge later(problem, 1);
        const auto something = plan(planner, problem, later, 10);
        ASSERT_TRUE(something.has_value());
        EXPECT_EQ(something->termination.evaluations, 1);
    }
}

TEST(ChipPlanners, AreFoundByTheirNames) {
    std::set<std::string_view> names;
    for (const Planner& planner : planners()) {
        EXPECT_TRUE(names.insert(planner.name).second) << planner.name;
        EXPECT_FALSE(planner.description.empty());
        EXPECT_FALSE(planner.source.empty());
        EXPECT_EQ(*find_planner(planner.name), &planner);
    }
    const auto misspelt = find_planner("equal-wrok");
    ASSERT_FALSE(misspelt.has_value());
    EXPECT_EQ(misspelt.error().help, "did you mean 'equal-work'?");
}

}  // namespace
}  // namespace sluice::mcm
