#include "sluice/mcm/search/order_dp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <format>

#include "tests/support/chips.hpp"
#include "tests/support/effort.hpp"

namespace sluice::mcm {
namespace {

bool topological(const cost::StageProblem& costs, const std::vector<NodeId>& order) {
    std::vector<std::size_t> position(costs.node_count(), costs.node_count());
    for (std::size_t i = 0; i < order.size(); ++i) position[order[i].index()] = i;
    if (std::ranges::contains(position, costs.node_count())) return false;
    for (std::size_t v = 0; v < costs.node_count(); ++v)
        for (const NodeId u : costs.predecessors[v])
            if (position[u.index()] >= position[v]) return false;
    return order.size() == costs.node_count();
}

/// Every slicing of the order, the plain way.
Duration best_of_all(const ChipProblem& problem, const std::vector<NodeId>& order) {
    Duration best = Duration::max();
    const std::size_t n = order.size();
    for (std::uint32_t cuts = 0; cuts < (1U << (n - 1)); ++cuts) {
        Assignment chips(n);
        std::uint8_t chip = 0;
        for (std::size_t i = 0; i < n; ++i) {
            if (i > 0 && (cuts >> (i - 1) & 1) != 0) ++chip;
            chips[order[i].index()] = chip;
        }
        if (chip >= problem.chips || !chip_faults(problem, chips).empty()) continue;
        best = std::min(best, bottleneck(problem, chips));
    }
    return best;
}

TEST(ChipOrders, TopologicalOnAnyGraph) {
    RandomStream random(7);
    for (int i = 0; i < 300; ++i) {
        const auto costs = test::random_problem(random, {.max_operators = 30});
        for (const OrderKind kind : kOrderKinds) EXPECT_TRUE(topological(costs, make_order(costs, kind))) << to_text(kind);
    }
}

TEST(ChipOrders, TheFourAreNotOne) {
    std::size_t all_differ = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        RandomStream random(seed);
        const auto costs = test::random_problem(random, {.max_operators = 30});
        std::vector<std::vector<NodeId>> orders;
        for (const OrderKind kind : kOrderKinds) orders.push_back(make_order(costs, kind));
        std::ranges::sort(orders);
        if (std::ranges::adjacent_find(orders) == orders.end()) ++all_differ;
    }
    EXPECT_GT(all_differ, 20u);
}

struct RulesCase {
    const char* name;
    Rules rules;
};

TEST(SliceOrder, BestOfAllSlicings) {
    constexpr RulesCase kCases[] = {{"relay", {.relay = true}}, {"adjacent", {.adjacent = true}}, {"free", {.triangle = false}}};
    std::size_t feasible = 0, infeasible = 0;
    for (const RulesCase& rules : kCases)
        for (std::uint64_t seed = 0; seed < test::cases(700); ++seed) {
            SCOPED_TRACE(std::format("{} {}", rules.name, seed));
            RandomStream random(seed, 5);
            const auto costs = test::random_problem(random, {.max_operators = 10, .overlap = 0.5, .host_link = 0.3});
            auto problem = test::random_chips(costs, 5, random);
            const bool memory = problem.rules.memory;
            problem.rules = rules.rules;
            problem.rules.memory = memory;
            const auto order = test::random_order(costs, random);
            const Duration best = best_of_all(problem, order);
            const auto found = slice_order(problem, order);
            ASSERT_EQ(found.has_value(), best != Duration::max());
            found ? ++feasible : ++infeasible;
            if (!found) continue;
            EXPECT_TRUE(chip_faults(problem, *found).empty());
            ASSERT_EQ(bottleneck(problem, *found), best);
            EXPECT_FALSE(slice_order(problem, order, {.below = best}));
            const auto above = slice_order(problem, order, {.below = best + Duration(1)});
            ASSERT_TRUE(above);
            EXPECT_EQ(bottleneck(problem, *above), best);
        }
    EXPECT_GT(feasible, test::cases(700));
    EXPECT_GT(infeasible * 100, test::cases(700));
}

TEST(SliceOrder, RoomForWhatIsAlive) {
    RandomStream random(1);
    const auto costs = test::bert_like(4, false);
    auto problem = test::on_chips(costs, 8, {.relay = true});
    problem.sram = Bytes{16 << 20};
    const auto order = make_order(costs, OrderKind::depth_first);
    ASSERT_TRUE(slice_order(problem, order));
    // By hand: of every chip, parameters and three times what is alive at its borders and, at most, between them.
    const auto live = live_bytes(costs, order);
    EXPECT_EQ(live.front(), 0);
    EXPECT_EQ(live.back(), 0);
    const auto needs = [&](const Assignment& chips, std::size_t chip) {
        std::int64_t first = -1, last = 0, between = 0, parameters = 0;
        for (std::size_t i = 0; i < order.size(); ++i) {
            if (chips[order[i].index()] != chip) continue;
            if (first < 0)
                first = live[i];
            else
                between = std::max(between, live[i]);
            last = live[i + 1];
        }
        for (std::size_t w = 0; w < costs.weight_count(); ++w)
            if (std::ranges::any_of(costs.weight_users[w], [&](NodeId user) { return chips[user.index()] == chip; }))
                parameters += costs.weight_bytes[w].count;
        return parameters + 3 * (std::max<std::int64_t>(first, 0) + last + between);
    };
    const auto roomy = slice_order(problem, order, {.live_share = 3 * kLiveUnit});
    ASSERT_TRUE(roomy);
    std::int64_t most = 0;
    for (std::size_t chip = 0; chip < 8; ++chip) most = std::max(most, needs(*roomy, chip));
    EXPECT_LE(most, problem.sram->count);
    // It decides: with that much and no more there is a slicing, and with less than some chip needs there is not the same.
    auto exactly = problem;
    exactly.sram = Bytes{most};
    EXPECT_EQ(slice_order(exactly, order, {.live_share = 3 * kLiveUnit}), roomy);
    exactly.sram = Bytes{most - 1};
    EXPECT_NE(slice_order(exactly, order, {.live_share = 3 * kLiveUnit}), roomy);
    EXPECT_FALSE(slice_order(problem, order, {.live_share = 1'000'000 * kLiveUnit}));
}

TEST(PlanByOrders, JudgesTheDistinctSlicingsBestFirst) {
    RandomStream random(3);
    const auto costs = test::random_problem(random, {.min_operators = 30, .max_operators = 30});
    const auto problem = test::on_chips(costs, 6, {.relay = true});
    AnalyticJudge judge(problem);
    SilentObserver silent;
    const auto result = plan_by_orders(problem, {.judge = &judge}, silent, {});
    ASSERT_TRUE(result);
    EXPECT_TRUE(chip_faults(problem, result->chips).empty());
    EXPECT_EQ(result->verdict.period, bottleneck(problem, result->chips));
    ASSERT_EQ(result->curve.size(), 1u);  // under the planners' own cost the first is the best
    EXPECT_EQ(result->curve.front().evaluations, 1);
    EXPECT_GE(result->termination.evaluations, 2);
    EXPECT_EQ(result->termination.reason, StopReason::finished);
    const auto one = plan_by_orders(problem, {.judge = &judge}, silent, {.deadline = {}, .evaluations = 1, .stop = {}});
    ASSERT_TRUE(one);
    EXPECT_EQ(one->termination.evaluations, 1);
    EXPECT_EQ(one->termination.reason, StopReason::evaluations);
    EXPECT_EQ(one->chips, result->chips);
}

TEST(PlanByOrders, SaysThatNothingFits) {
    const auto costs = test::bert_like(2, false);
    auto problem = test::on_chips(costs, 4, {.relay = true});
    problem.sram = Bytes{1 << 20};
    AnalyticJudge judge(problem);
    SilentObserver silent;
    const auto result = plan_by_orders(problem, {.judge = &judge}, silent, {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, DiagnosticKind::infeasible);
}

}  // namespace
}  // namespace sluice::mcm
