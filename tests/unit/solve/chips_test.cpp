#include "sluice/solve/chips.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <format>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/verify.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::solve {
namespace {

platform::Platform ring_for(const graph::Graph& graph, std::int64_t chips) {
    platform::Platform ring = platform::given_platform(graph);
    ring.topology = platform::Topology::ring;
    ring.model = platform::StageModel::overlap;
    ring.chip_rules = true;
    ring.classes.resize(1);
    ring.classes.front().count = chips;
    return ring;
}

ChipSolveResult solved(const graph::Graph& graph, const platform::Platform& ring, const ChipSolveOptions& options,
                       std::int64_t evaluations) {
    SilentObserver silent;
    auto result = solve_chips(graph, ring, nullptr, options, silent, {.deadline = {}, .evaluations = evaluations, .stop = {}});
    if (!result) throw std::runtime_error(to_text(result.error()));
    return *std::move(result);
}

TEST(SolveChips, PlansThatVerifyAcceptsUnderAnyRewrites) {
    constexpr ChipRewrites kRewrites[] = {{}, {false, false, false}, {true, false, false}, {false, false, true}, {false, true, true}};
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed);
        const auto graph = test::random_graph(random, {.min_operators = 3, .max_operators = 30});
        const auto ring = ring_for(graph, random.between(1, 8));
        const ChipRewrites& rewrites = kRewrites[random.below(std::size(kRewrites))];
        const ChipSolveOptions options{.rewrites = rewrites, .seed = seed};
        const auto result = solved(graph, ring, options, 20);
        EXPECT_TRUE(result.certified);
        const auto plan = make_chip_plan(ring, options, result);
        EXPECT_GE(plan.judged->period, plan.predicted.bottleneck);
        EXPECT_GE(plan.predicted.bottleneck, plan.bound->value);
        const auto report = verify(graph, plan, &result.certificate);
        EXPECT_TRUE(report.valid) << to_text(report.failures.front());
        EXPECT_TRUE(report.certified);
        if (rewrites == ChipRewrites{false, false, false}) { EXPECT_TRUE(plan.rewrites.empty()); }
        // The file is the plan.
        const auto document = json::parse(plan::to_json_text(plan), "plan");
        ASSERT_TRUE(document);
        const auto read = plan::read_plan(*document);
        ASSERT_TRUE(read) << to_text(read.error());
        EXPECT_EQ(*read, plan);
    }
}

// The bound is of work alone: rewrites avoid transfers, so the same witness must not be read as one that counts them, nor prove more.
TEST(SolveChips, RaisedBoundsAreOfWorkAlone) {
    int raised = 0, above_opening = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 9);
        const auto graph = test::random_graph(random, {.min_operators = 6, .max_operators = 30});
        const auto ring = ring_for(graph, random.between(2, 6));
        const auto result = solved(graph, ring, {.judge = std::string(mcm::kPlanner), .seed = seed}, 20);
        const auto problem = cost::freeze(graph, ring)->problem;
        EXPECT_TRUE(bound::check_certificate(problem, result.certificate).empty());
        if (result.certificate.transfers) continue;
        ++raised;
        const auto document = json::parse(bound::to_json_text(result.certificate, true), "certificate");
        ASSERT_TRUE(document);
        const auto read = bound::read_certificate(*document);
        ASSERT_TRUE(read) << to_text(read.error());
        EXPECT_EQ(*read, result.certificate);
        bound::Certificate more = result.certificate;
        ++more.value;
        EXPECT_FALSE(bound::check_certificate(problem, more).empty());
        auto plan = make_chip_plan(ring, {}, result);
        if (plan.rewrites.empty()) continue;
        bound::Certificate counted = result.certificate;
        counted.transfers = true;
        EXPECT_FALSE(verify(graph, plan, &counted).certified);
        ++above_opening;
    }
    EXPECT_GE(raised, 1);
    EXPECT_GE(above_opening, 1);
}

Result<bound::BoundResult> fails(const cost::StageProblem&, const bound::BoundOptions&, Observer&, const Limits&) {
    return fail(internal_error("no way"));
}
Result<bound::BoundResult> throws(const cost::StageProblem&, const bound::BoundOptions&, Observer&, const Limits&) {
    throw std::runtime_error("out of luck");
}
Result<bound::BoundResult> is_stopped(const cost::StageProblem&, const bound::BoundOptions&, Observer&, const Limits&) {
    return fail(Diagnostic{DiagnosticKind::stopped, "stopped", {}, {}, {}});
}
/// A picosecond more than it proves; what it does prove, found on the way.
Result<bound::BoundResult> lies(const cost::StageProblem& problem, const bound::BoundOptions& options, Observer& observer,
                                const Limits& limits) {
    auto proven = (*bound::find_bound("chain"))->prove(problem, options, observer, limits);
    if (!proven) return proven;
    proven->weaker.clear();
    proven->weaker.push_back(proven->certificate);
    proven->certificate.value += Duration(1);
    return proven;
}

/// Goes on above the best plan.
Result<bound::BoundResult> knows_no_plan(const cost::StageProblem& problem, const bound::BoundOptions& options, Observer& observer,
                                         const Limits& limits) {
    bound::BoundOptions without = options;
    without.enough.reset();
    return (*bound::find_bound("chain"))->prove(problem, without, observer, limits);
}

TEST(SolveChips, WarnsOfABoundThatFails) {
    int fallen_back = 0, above_warned = 0;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {  // waypoints, which are asked first, leave little to raise
        SCOPED_TRACE(seed);
        RandomStream random(seed, 9);
        const auto graph = test::random_graph(random, {.min_operators = 6, .max_operators = 30});
        const auto ring = ring_for(graph, random.between(2, 6));
        SilentObserver silent;
        const auto prepared = prepare_chips(graph, ring, nullptr, 0, {}, silent);
        ASSERT_TRUE(prepared) << to_text(prepared.error());
        EXPECT_TRUE((*prepared)->warnings.empty());
        const auto raised = [&](bound::BoundFunction prove, Duration enough) {
            const bound::Bound by{.name = "ours", .description = {}, .source = {}, .prove = prove};
            return raise_bound(**prepared, enough, 1, silent, {}, &by);
        };
        const Duration enough = (*prepared)->certificate.value * 100;
        const auto failed = raised(fails, enough);
        EXPECT_FALSE(failed.certificate);
        ASSERT_EQ(failed.warnings.size(), 1u);
        EXPECT_EQ(failed.warnings.front().message, "bound 'ours': no way");
        const auto thrown = raised(throws, enough);
        EXPECT_FALSE(thrown.certificate);
        ASSERT_EQ(thrown.warnings.size(), 1u);
        EXPECT_NE(thrown.warnings.front().message.find("out of luck"), std::string::npos);
        const auto stopped = raised(is_stopped, enough);
        EXPECT_FALSE(stopped.certificate);
        EXPECT_TRUE(stopped.warnings.empty());

        const auto right = raise_bound(**prepared, enough, 1, silent, {});
        EXPECT_TRUE(right.warnings.empty());
        if (!right.certificate) continue;
        ++fallen_back;
        const auto lied = raised(lies, enough);
        ASSERT_EQ(lied.warnings.size(), 1u);
        EXPECT_NE(lied.warnings.front().message.find("not accepted by the checker"), std::string::npos);
        ASSERT_TRUE(lied.certificate);
        EXPECT_EQ(*lied.certificate, *right.certificate);
        // No bound is above a plan, whatever the checker says of it.
        const auto above = raised(knows_no_plan, right.certificate->value - Duration(1));
        EXPECT_FALSE(above.certificate && above.certificate->value >= right.certificate->value);
        if (right.certificate->value <= (*prepared)->certificate.value + Duration(1)) continue;
        ++above_warned;
        EXPECT_FALSE(above.warnings.empty());
    }
    EXPECT_GE(fallen_back, 3);
    EXPECT_GE(above_warned, 1);
}

TEST(SolveChips, RewritesNeverCostTheBestPlan) {
    std::size_t better = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 1);
        const auto graph = test::random_graph(random, {.min_operators = 20, .max_operators = 40});
        const auto ring = ring_for(graph, 6);
        const auto with = solved(graph, ring, {.judge = std::string(mcm::kPlanner), .rewrites = {.clone = false}}, 20);
        const auto without = solved(graph, ring, {.judge = std::string(mcm::kPlanner), .rewrites = {false, false, false}}, 20);
        EXPECT_LE(with.verdict.period, without.verdict.period);
        better += with.verdict.period < without.verdict.period;
    }
    EXPECT_GT(better, 5u);
}

TEST(SolveChips, VerifyFindsWhatIsNotSo) {
    RandomStream random(5);
    const auto graph = test::random_graph(random, {.min_operators = 30, .max_operators = 30});
    const auto ring = ring_for(graph, 6);
    const ChipSolveOptions options;
    const auto result = solved(graph, ring, options, 10);
    const auto plan = make_chip_plan(ring, options, result);
    ASSERT_GT(plan.stages.size(), 2u);
    auto faster = plan;
    faster.judged->period -= Duration(1);
    EXPECT_FALSE(verify(graph, faster).valid);
    auto another = faster;
    another.judged->judge = "./measure.sh";  // of a machine nobody else has
    EXPECT_TRUE(verify(graph, another).valid);
    auto no_rules = plan;
    no_rules.platform.chip_rules = false;
    EXPECT_TRUE(verify(graph, no_rules).valid);
}

/// Wants as many nodes as it can get on the first chip.
class Miser final : public mcm::Judge {
public:
    Result<mcm::Verdict> judge(std::span<const std::uint8_t> chips) override {
        mcm::Verdict verdict;
        verdict.period = Duration(1 + static_cast<std::int64_t>(chips.size()) - std::ranges::count(chips, 0));
        return verdict;
    }
};

TEST(SolveChips, TheJudgeDecides) {
    RandomStream random(6);
    const auto graph = test::random_graph(random, {.min_operators = 30, .max_operators = 30});
    ChipSolveOptions options{.method = "random", .judge = "miser"};
    options.make_judge = [](const graph::Graph&, const mcm::ChipProblem&) -> Result<std::unique_ptr<mcm::Judge>> {
        return std::make_unique<Miser>();
    };
    const auto result = solved(graph, ring_for(graph, 6), options, 200);
    ASSERT_GT(result.curve.size(), 1u);
    EXPECT_LT(result.curve.back().period, result.curve.front().period);
    EXPECT_EQ(result.curve.back().period, result.verdict.period);
    const auto by_work = solved(graph, ring_for(graph, 6), {}, 20);
    EXPECT_GT(result.partition.stages.front().nodes.size(), by_work.partition.stages.front().nodes.size());
    EXPECT_EQ(make_chip_plan(ring_for(graph, 6), options, result).judged->judge, "miser");
}

TEST(SolveChips, SaysWhatIsWrong) {
    RandomStream random(7);
    const auto graph = test::random_graph(random, {.min_operators = 10, .max_operators = 10, .shared_weights = 1});
    SilentObserver silent;
    const auto error = [&](const platform::Platform& ring, const ChipSolveOptions& options) {
        const auto result = solve_chips(graph, ring, nullptr, options, silent, {.deadline = {}, .evaluations = 5, .stop = {}});
        return result ? Diagnostic{} : result.error();
    };
    const auto ring = ring_for(graph, 4);
    EXPECT_EQ(error(ring, {.method = "order-pd"}).help, "did you mean 'order-dp'?");
    EXPECT_EQ(error(ring, {.judge = "simulater"}).help, "did you mean 'simulator'?");
    EXPECT_EQ(error(ring_for(graph, 65), {}).kind, DiagnosticKind::usage);
    auto tiny = ring;
    tiny.classes.front().overflow = platform::Overflow::hard;
    tiny.classes.front().fast_memory = Bytes{1};
    EXPECT_EQ(error(tiny, {}).kind, DiagnosticKind::infeasible);
    EXPECT_EQ(parse_rewrites("clone,relays").error().help, "did you mean 'relay'?");
    EXPECT_EQ(to_text(*parse_rewrites("relay,clone")), "clone,relay");
    EXPECT_EQ(to_text(*parse_rewrites("all")), "all");
    EXPECT_EQ(to_text(*parse_rewrites("none")), "none");
}

}  // namespace
}  // namespace sluice::solve
