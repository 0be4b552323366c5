#include "sluice/mcm/residual/residual.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <format>

#include "sluice/mcm/residual/learners.hpp"
#include "tests/support/chips.hpp"
#include "tests/support/effort.hpp"

namespace sluice::mcm {
namespace {

/// A machine on which operators take other times than planned: what a hidden function of work and parameters says. Links are slower.
class HiddenMachine final : public Judge {
public:
    HiddenMachine(const ChipProblem& problem, bool tells_chip_times) : costs_(*problem.costs), problem_(problem), tells_(tells_chip_times) {
        problem_.costs = &costs_;
        for (std::size_t v = 0; v < costs_.node_count(); ++v) {
            const auto work = static_cast<double>(costs_.classes.front().work[v].count());
            const double log = 0.9 * std::sin(2 * std::log(work + 1)) + (costs_.weights[v].empty() ? 0.8 : 0);
            costs_.classes.front().work[v] = Duration(std::llround(work * std::exp(log)));
        }
        for (Duration& transfer : costs_.transfer) transfer = Duration(std::llround(1.6 * static_cast<double>(transfer.count())));
    }
    Result<Verdict> judge(std::span<const std::uint8_t> chips) override {
        ++asked;
        Verdict verdict;
        std::vector<Duration> times = chip_times(problem_, chips);
        verdict.period = std::ranges::max(times);
        if (tells_) verdict.chip_times = std::move(times);
        for (std::size_t chip = 0; chip < problem_.chips; ++chip)
            if (const auto count = std::ranges::count(chips, chip); most_nodes > 0 && static_cast<std::size_t>(count) > most_nodes) {
                verdict.failure = CompileFailure{
                    chip, {DiagnosticKind::infeasible, std::format("chip {} has {} operators", chip, count), {}, {}, {}}, {}};
                for (std::size_t v = 0; v < chips.size(); ++v)
                    if (chips[v] == chip) verdict.failure->nodes.emplace_back(v);
            }
        return verdict;
    }
    /// Of who knows the machine.
    [[nodiscard]] Duration oracle() const {
        Duration best = Duration::max();
        for (const OrderKind kind : kOrderKinds)
            if (const auto chips = slice_order(problem_, make_order(costs_, kind))) best = std::min(best, bottleneck(problem_, *chips));
        return best;
    }
    std::size_t most_nodes = 0;  // on one chip; 0: any number
    int asked = 0;

private:
    cost::StageProblem costs_;
    ChipProblem problem_;
    bool tells_;
};

double share_of_oracle(const HiddenMachine& machine, const PlannerResult& result) {
    return static_cast<double>(machine.oracle().count()) / static_cast<double>(result.verdict.period.count());
}

Result<PlannerResult> learn(const ChipProblem& problem, HiddenMachine& machine, std::int64_t evaluations) {
    SilentObserver silent;
    return plan_by_residual(problem, {.seed = 1, .judge = &machine}, silent, {.deadline = {}, .evaluations = evaluations, .stop = {}});
}

/// Of four graphs, in the mean: the analytical plan's share of what the oracle reaches, and what was learnt in so many evaluations.
struct Shares {
    double analytical = 0, learnt = 0;
};
Shares shares(bool chip_times, std::int64_t evaluations) {
    Shares mean;
    constexpr std::uint64_t kGraphs = 4;
    for (std::uint64_t seed = 0; seed < kGraphs; ++seed) {
        RandomStream random(seed, 2);
        const auto costs = test::random_problem(random, {.min_operators = 150, .max_operators = 150, .largest_time = 2000, .spill = 0});
        const auto problem = test::on_chips(costs, 12, {.relay = true});
        HiddenMachine machine(problem, chip_times);
        const auto analytical = learn(problem, machine, 1), learnt = learn(problem, machine, evaluations);
        EXPECT_TRUE(analytical && learnt);
        EXPECT_LE(learnt->termination.evaluations, evaluations);
        EXPECT_EQ(analytical->winner, "analytical");
        EXPECT_TRUE(chip_faults(problem, learnt->chips).empty());
        mean.analytical += share_of_oracle(machine, *analytical) / kGraphs;
        mean.learnt += share_of_oracle(machine, *learnt) / kGraphs;
    }
    return mean;
}

TEST(Residual, FindsTheErrorFromChipTimes) {
    const auto [analytical, learnt] = shares(true, 10);
    EXPECT_LT(analytical, 0.9);  // there is something to learn
    EXPECT_GT(learnt, 0.95);
}

TEST(Residual, FindsTheErrorFromThroughputAlone) {
    const auto [analytical, learnt] = shares(false, 100);
    EXPECT_LT(analytical, 0.9);
    EXPECT_GT(learnt, 0.92);
}

TEST(Residual, NeverLosesTheAnalyticalPlan) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed);
        const auto costs = test::random_problem(random, {.min_operators = 8, .max_operators = 30, .overlap = 0.5});
        const auto problem = test::on_chips(costs, 5, {.relay = random.chance(0.5)});
        HiddenMachine machine(problem, random.chance(0.5));
        const auto analytical = learn(problem, machine, 1), learnt = learn(problem, machine, 30);
        ASSERT_TRUE(analytical && learnt);
        EXPECT_LE(learnt->verdict.period, analytical->verdict.period);
        EXPECT_TRUE(chip_faults(problem, learnt->chips).empty());
        EXPECT_LE(learnt->termination.evaluations, 30);
    }
}

TEST(Residual, LearnsWhatDoesNotCompile) {
    const auto costs = test::bert_like(4, false);
    const auto problem = test::on_chips(costs, 12, {.relay = true});
    HiddenMachine machine(problem, true);
    machine.most_nodes = 18;
    const auto learnt = learn(problem, machine, 600);
    ASSERT_TRUE(learnt) << learnt.error().message;
    EXPECT_GT(learnt->failed, 0);
    for (std::size_t chip = 0; chip < 12; ++chip) EXPECT_LE(std::ranges::count(learnt->chips, chip), 18);
}

TEST(Residual, JudgesNoPlanTwice) {
    const auto costs = test::bert_like(1, false);
    const auto problem = test::on_chips(costs, 2, {.relay = true});
    HiddenMachine machine(problem, true);
    const auto learnt = learn(problem, machine, 100'000);
    ASSERT_TRUE(learnt);
    EXPECT_EQ(learnt->termination.reason, StopReason::finished);
    EXPECT_LT(machine.asked, 200);  // the graph has not many more slicings
}

TEST(Residual, SameSeedSamePlan) {
    const auto costs = test::bert_like(6, false);
    const auto problem = test::on_chips(costs, 9, {.relay = true});
    HiddenMachine machine(problem, false);
    const auto evaluations = static_cast<std::int64_t>(60 / test::one_in(4));
    const auto once = learn(problem, machine, evaluations), again = learn(problem, machine, evaluations);
    ASSERT_TRUE(once && again);
    EXPECT_EQ(once->chips, again->chips);
}

TEST(Perceptron, GradientIsTheSlope) {
    RandomStream random(3);
    Perceptron perceptron(random);
    for (double& parameter : perceptron.parameters()) parameter += 0.1 * (random.unit() - 0.5);
    std::vector<LocalFeatures> rows(5);
    std::vector<double> slopes;
    for (LocalFeatures& row : rows) {
        for (float& value : row) value = static_cast<float>(random.unit() - 0.5);
        slopes.push_back(random.unit() - 0.5);
    }
    const auto loss = [&] {
        const auto outputs = perceptron.outputs(rows);
        double sum = 0;
        for (std::size_t r = 0; r < rows.size(); ++r) sum += slopes[r] * outputs[r];
        return sum;
    };
    const auto gradient = perceptron.gradient(rows, slopes);
    for (std::size_t i = 0; i < gradient.size(); i += 7) {
        constexpr double kStep = 1e-6;
        double& parameter = perceptron.parameters()[i];
        parameter += kStep;
        const double above = loss();
        parameter -= 2 * kStep;
        const double below = loss();
        parameter += kStep;
        ASSERT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-7) << i;
    }
}

TEST(Correction, NoneIsThePlannersCost) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed);
        const auto costs = test::random_problem(random, {.max_operators = 20, .spill = 0, .overlap = 0.5, .host_link = 0.3});
        const auto problem = test::on_chips(costs, 4, {.relay = random.chance(0.5)});
        const auto order = test::random_order(costs, random);
        Assignment chips(costs.node_count());
        std::uint8_t chip = 0;
        for (const NodeId node : order)
            chips[node.index()] = chip = static_cast<std::uint8_t>(std::min<std::uint64_t>(3, chip + random.below(2)));
        const auto times = chip_times(problem, chips);
        const auto transfers = chip_transfers(problem, chips);
        for (std::size_t c = 0; c < 4; ++c) {
            double work = 0;
            for (std::size_t v = 0; v < chips.size(); ++v)
                if (chips[v] == c) work += static_cast<double>(costs.classes.front().work[v].count());
            EXPECT_EQ(corrected_time(costs.model, work, transfers[c], {}), static_cast<double>(times[c].count()));
        }
    }
}

TEST(LocalFeatures, EqualOperatorsShareARow) {
    const auto costs = test::bert_like(12, false);
    const auto table = local_features(test::on_chips(costs, 4));
    EXPECT_EQ(table.row_of.size(), costs.node_count());
    EXPECT_LT(table.rows.size(), 40u);
    EXPECT_GT(table.rows.size(), 5u);
}

}  // namespace
}  // namespace sluice::mcm
