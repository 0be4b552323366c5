#include "sluice/mcm/search/lessons.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/chips.hpp"

namespace sluice::mcm {
namespace {

/// The planners' cost, on chips that hold so many bytes of parameters, beside something that planners do not know of.
class SmallChips final : public Judge {
public:
    SmallChips(const ChipProblem& problem, Bytes most, bool names = true) : problem_(problem), strict_(problem), names_(names) {
        strict_.sram = most;
        strict_.rules.memory = true;
    }
    Result<Verdict> judge(std::span<const std::uint8_t> chips) override {
        Verdict verdict;
        verdict.period = bottleneck(problem_, chips);
        for (std::size_t chip = 0; chip < problem_.chips; ++chip) {
            std::vector<NodeId> nodes;
            Assignment alone(chips.size(), 0);
            for (std::size_t v = 0; v < chips.size(); ++v)
                if (chips[v] == chip) nodes.emplace_back(v);
            Bytes bytes;
            for (std::size_t w = 0; w < problem_.costs->weight_count(); ++w)
                if (std::ranges::any_of(problem_.costs->weight_users[w], [&](NodeId user) { return chips[user.index()] == chip; }))
                    bytes += problem_.costs->weight_bytes[w];
            if (bytes > *strict_.sram)
                verdict.failure = CompileFailure{
                    chip, {DiagnosticKind::infeasible, "too much", {}, {}, {}}, names_ ? std::move(nodes) : std::vector<NodeId>{}};
        }
        return verdict;
    }

private:
    const ChipProblem& problem_;
    ChipProblem strict_;
    bool names_;
};

class LessonsTaught : public ::testing::TestWithParam<bool> {};

TEST_P(LessonsTaught, OneFailureTeachesAllLayers) {
    // 12 MiB of parameters a layer, and next to no work behind the first tenth: only memory parts what comes then.
    auto costs = test::bert_like(12, false);
    for (std::size_t v = costs.node_count() / 10; v < costs.node_count(); ++v) costs.classes.front().work[v] = Duration{1};
    auto problem = test::on_chips(costs, 40, {.relay = true});
    problem.sram = Bytes{9 << 20};
    SmallChips judge(problem, Bytes{6 << 20}, GetParam());
    SilentObserver silent;
    const PlannerOptions options{.judge = &judge};
    const Limits limits;
    Trials trials(problem, options, silent, limits);
    Lessons lessons(problem);
    const auto chips = judge_slicings(problem, make_order(costs, OrderKind::depth_first), "", lessons, trials, limits);
    ASSERT_TRUE(chips);
    EXPECT_GT(trials.evaluations(), 1);
    EXPECT_LE(trials.evaluations(), 8);  // not one for each of 12 layers
    auto strict = problem;
    strict.sram = Bytes{6 << 20};
    EXPECT_TRUE(chip_faults(strict, *chips).empty());
}

INSTANTIATE_TEST_SUITE_P(Named, LessonsTaught, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "operators" : "only_the_chip"; });

TEST(Lessons, WhereNothingIsLeftNogoodsRemain) {
    // Two operators with a large parameter each, three chips: the one that fails shows what no chip may hold together, not that all must
    // hold less.
    const auto costs = test::bert_like(2, false);
    auto problem = test::on_chips(costs, 3, {.relay = true});
    problem.sram = Bytes{16 << 20};
    Lessons lessons(problem);
    const auto order = make_order(costs, OrderKind::depth_first);
    for (int i = 0; i < 6; ++i) {
        const auto chips = lessons.slice(problem, order, {});
        ASSERT_TRUE(chips) << i;
        CompileFailure failure{0, {}, {}};
        for (std::size_t v = 0; v < chips->size(); ++v)
            if ((*chips)[v] == 0) failure.nodes.emplace_back(v);
        ASSERT_TRUE(lessons.learn(failure, order, *chips));
        const auto next = lessons.slice(problem, order, {});
        ASSERT_TRUE(next) << i;
        EXPECT_FALSE(
            std::ranges::all_of(failure.nodes, [&](NodeId v) { return (*next)[v.index()] == (*next)[failure.nodes.front().index()]; }));
    }
}

}  // namespace
}  // namespace sluice::mcm
