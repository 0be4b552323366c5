// The block programs, their exact certificates and HiGHS's claims against the optimum over all partitions.
#include <gtest/gtest.h>

#include <numeric>

#include "sluice/bound/block_program.hpp"
#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/check_lp.hpp"
#include "sluice/bound/mip.hpp"
#include "sluice/bound/registry.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using bound::BlockProgram;
using bound::LinearProgramWitness;
using bound::Relaxation;
using test::PartitionOptimum;
using test::RandomProblemOptions;
using Blocks = std::vector<std::int64_t>;

constexpr std::int64_t kImpossible = PartitionOptimum::kImpossible;

/// Spill at a byte a picosecond: nothing is rounded, so that the exact program is exact.
cost::StageProblem whole_spill(RandomStream& random, const RandomProblemOptions& options, std::int64_t stages) {
    const graph::Graph graph = test::random_graph(random, options);
    platform::Platform platform = test::random_platform(graph, random, options);
    for (auto& device : platform.classes)
        if (device.overflow == platform::Overflow::spill) device.spill_rate = ByteRate{1'000'000'000'000};
    return test::detail::must(cost::freeze(graph, platform, stages)).problem;
}

Duration total_of(const cost::StageProblem& problem) {
    Duration sum = std::reduce(problem.classes[0].work.begin(), problem.classes[0].work.end());
    for (Duration transfer : problem.transfer) sum += 2 * transfer;
    for (Bytes bytes : problem.weight_bytes) sum += Duration{bytes.count * 10};
    return sum;
}

TEST(BlockPrograms, NeitherProofNorClaimIsAboveTheOptimum) {
    std::size_t problems = 0, exact_lp = 0, tight = 0, claims = 0;
    SilentObserver observer;
    for (std::uint64_t i = 0; i < 400 && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(41, i);
        const auto stages = random.between(1, 4);
        auto options = i % 2 == 0 ? RandomProblemOptions::everything(6) : RandomProblemOptions{.max_operators = 7};
        const auto problem = test::random_problem(random, options, random.chance(0.7) ? stages : 0);
        const std::int64_t replicas = random.between(1, 2);
        const std::int64_t best = PartitionOptimum(problem).at(stages, replicas);
        for (const char* name : {"mip", "superblocks"}) {
            const auto result = bound::find_bound(name).value()->prove(problem, {.stages = stages, .max_replicas = replicas}, observer, {});
            ASSERT_TRUE(result) << result.error().message;
            const auto faults = bound::check_certificate(problem, result->certificate);
            ASSERT_TRUE(faults.empty()) << name << ": " << faults.front().message;
            ASSERT_LE(result->certificate.value.count(), best) << name;
            if (result->claim) {
                ASSERT_LE(result->claim->value.count(), best) << name << " claims this";
                ASSERT_GT(result->claim->value, result->certificate.value);
                ASSERT_FALSE(bound::check_certificate(problem, *result->claim).empty()) << "a claim is never certified";
            }
            ++problems;
            exact_lp += result->certificate.kind() == "exact-lp";
            claims += result->claim.has_value();
            tight += result->certificate.value.count() == best;
        }
    }
    EXPECT_GT(exact_lp, problems / 5);
    EXPECT_GT(tight, problems / 4);
    EXPECT_GT(claims, problems / 50);
}

TEST(BlockPrograms, TheExactProgramIsExact) {
    std::size_t claims = 0;
    SilentObserver observer;
    for (std::uint64_t i = 0; i < 300 && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(42, i);
        const auto stages = random.between(2, 4);
        RandomProblemOptions options{.min_operators = 3, .max_operators = 7, .spill = 0.6};
        options.overlap = i % 2 == 0 ? 0 : 1;
        options.host_link = 0.3;
        const auto problem = whole_spill(random, options, stages);
        const std::int64_t best = PartitionOptimum(problem).at(stages, 1);
        const auto result = bound::prove_mip(problem, {.stages = stages}, observer, {});
        ASSERT_TRUE(result) << result.error().message;
        const auto& certificate = result->claim ? *result->claim : result->certificate;
        ASSERT_EQ(certificate.value.count(), best) << certificate.kind();
        claims += result->claim.has_value();
    }
    EXPECT_GT(claims, 30u);
}

/// The exact bound from duals is the value that HiGHS finds: had builder and checker different rows, one would be off.
TEST(BlockPrograms, CheckerAndSolverAgreeOnTheRelaxation) {
    std::size_t beyond_work = 0, compared = 0;
    for (std::uint64_t i = 0; i < 300 && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(43, i);
        RandomProblemOptions options{.min_operators = 4, .max_operators = 9, .largest_time = 100'000, .largest_transfer = 50'000};
        options.largest_bytes = 100'000;
        options.overlap = options.host_link = 0.4;
        const std::int64_t stages = random.between(2, 4);
        const auto problem = test::random_problem(random, options, stages);
        const Relaxation relaxation = bound::relax(problem, stages, 1);
        Blocks blocks(static_cast<std::size_t>(stages), 1);
        if (random.chance(0.5)) blocks = {1, stages - 1};
        BlockProgram program(problem, relaxation, blocks, Duration{50'000});
        const Duration total = total_of(problem);
        const Duration threshold{random.between(total.count() / stages, total.count())};
        if (!program.fix(threshold)) continue;
        for (const bool presolve : {true, false})
            for (int seed = 0; seed < 2; ++seed) {
                const auto solved = solve_with_highs(
                    program.without_cutoff(),
                    {.unit = static_cast<double>(threshold.count()), .relaxed = true, .presolve = presolve, .seed = seed, .nodes = {}}, {});
                if (solved.status != bound::LinearStatus::optimal) continue;
                const auto proven = bound::proven_by(problem, stages, 1, program.witness(solved.duals));
                ASSERT_TRUE(proven) << proven.error().message;
                const double value = std::min(solved.objective, static_cast<double>(threshold.count() + 1));
                ASSERT_NEAR(static_cast<double>(proven->count()), value, 1.01 + 1e-5 * value);
                ++compared;
                const std::int64_t work = std::reduce(relaxation.work.begin(), relaxation.work.end());
                beyond_work += solved.objective > 1.01 * static_cast<double>(work) / static_cast<double>(stages);
            }
    }
    EXPECT_GT(compared, 600u);
    EXPECT_GT(beyond_work, compared / 4);
}

/// Without thresholds and edges the relaxation is the total work over k, which is known (notes/inference 3.2).
TEST(BlockPrograms, IndependentOperatorsShareTheirWork) {
    for (std::uint64_t i = 0; i < 20; ++i) {
        SCOPED_TRACE(i);
        RandomStream random(44, i);
        graph::GraphBuilder builder("independent");
        graph::GivenCosts given;
        given.classes.push_back({.name = "d", .count = 4, .memory = {}, .time = {}});
        std::int64_t work = 0;
        for (int v = 0; v < 6; ++v) {
            graph::Operator op;
            op.name = std::to_string(v);
            builder.add_operator(std::move(op), {}, {}, {});
            const Duration time{random.between(1, 1'000'000)};
            given.classes[0].time.push_back(time);
            work += time.count();
        }
        builder.set_given_costs(std::move(given));
        const auto graph = std::move(builder).build();
        ASSERT_TRUE(graph);
        const auto problem = cost::freeze(*graph, platform::given_platform(*graph))->problem;
        for (const Blocks& blocks : {Blocks{1, 1, 1, 1}, Blocks{1, 1, 2}, Blocks{2, 1, 1}, Blocks{3, 1}}) {
            const Relaxation relaxation = bound::relax(problem, 4, 1);
            BlockProgram program(problem, relaxation, blocks, Duration{work / 4});
            ASSERT_TRUE(program.fix(Duration{work}));
            const auto solved =
                solve_with_highs(program.without_cutoff(), {.unit = static_cast<double>(work), .relaxed = true, .nodes = {}}, {});
            const auto proven = bound::proven_by(problem, 4, 1, program.witness(solved.duals));
            ASSERT_TRUE(proven);
            EXPECT_LE(proven->count(), (work + 3) / 4);
            EXPECT_GE(proven->count(), (work + 3) / 4 - 1);
        }
    }
}

/// Membership as the program's columns, and every row of it by hand.
TEST(BlockPrograms, EveryPartitionSatisfiesTheRows) {
    std::size_t checked = 0;
    for (std::uint64_t i = 0; i < 400 && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(45, i);
        RandomProblemOptions options{.min_operators = 3, .max_operators = 14};
        options.overlap = options.host_link = 0.4;
        const auto problem = test::random_problem(random, options, 6);
        const Relaxation relaxation = bound::relax(problem, 6, 1);
        const auto partition = test::random_partition(problem, 5, random);
        const auto stages = std::min<std::int64_t>(6, static_cast<std::int64_t>(problem.node_count()));
        if (std::ssize(partition.stages) > stages) continue;
        const Duration bottleneck = price(problem, partition).bottleneck;
        Blocks blocks(static_cast<std::size_t>(stages), 1);
        const auto b = random.between(1, stages);
        if (random.chance(0.5)) {
            blocks = {b - 1, 1, stages - b};
            std::erase(blocks, 0);
        }
        if (blocks.size() < 2) continue;
        BlockProgram program(problem, relaxation, blocks, Duration{20});
        ASSERT_TRUE(program.fix(bottleneck));
        const auto& model = program.with_cutoff();

        // Stages 1 .. j - 1 and k: empty ones lie before the last.
        std::vector<std::size_t> block_of(problem.node_count());
        std::vector<std::size_t> block_of_stage;
        for (std::size_t j = 0; j < blocks.size(); ++j) block_of_stage.insert(block_of_stage.end(), static_cast<std::size_t>(blocks[j]), j);
        for (std::size_t s = 0; s < partition.stages.size(); ++s)
            for (NodeId v : partition.stages[s].nodes)
                block_of[v.index()] = s > 0 && s + 1 == partition.stages.size() ? blocks.size() - 1 : block_of_stage[s];
        const std::size_t inner = blocks.size() - 1;
        std::vector<std::int64_t> values(model.lower.size(), 0);
        values[0] = bottleneck.count();
        for (std::size_t v = 0; v < problem.node_count(); ++v)
            for (std::size_t j = 0; j < inner; ++j) values[1 + v * inner + j] = block_of[v] <= j;
        // The other columns only take what they must: from the rows that have one of them alone on the left.
        for (int pass = 0; pass < 2; ++pass)
            for (std::size_t r = 0; r < model.row_count(); ++r) {
                std::int64_t sum = -model.least[r];
                std::size_t free = 0;
                for (std::size_t e = model.starts[r]; e < model.starts[r + 1]; ++e) {
                    const auto c = static_cast<std::size_t>(model.columns[e]);
                    if (c > problem.node_count() * inner && model.coefficients[e] == 1)
                        free = c;
                    else
                        sum += model.coefficients[e] * values[c];
                }
                if (free > 0 && model.columns[model.starts[r]] != 0) values[free] = std::max(values[free], -sum);
            }
        for (std::size_t c = 0; c < values.size(); ++c) {
            ASSERT_GE(values[c], model.lower[c]) << "column " << c;
            ASSERT_LE(values[c], model.upper[c]) << "column " << c;
        }
        for (std::size_t r = 0; r < model.row_count(); ++r) {
            std::int64_t sum = 0;
            for (std::size_t e = model.starts[r]; e < model.starts[r + 1]; ++e)
                sum += model.coefficients[e] * values[static_cast<std::size_t>(model.columns[e])];
            ASSERT_GE(sum, model.least[r]) << "row " << r;
        }
        ++checked;
    }
    EXPECT_GT(checked, 300u);
}

/// Whatever multipliers come along, what the checker grants is true.
TEST(BlockPrograms, CorruptedDualsProveNothingFalse) {
    std::size_t weaker = 0, refused = 0, tried = 0;
    SilentObserver observer;
    for (std::uint64_t i = 0; i < 300 && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(46, i);
        RandomProblemOptions options = random.chance(0.5) ? RandomProblemOptions::everything(6) : RandomProblemOptions{.max_operators = 6};
        const std::int64_t stages = random.between(2, 4), replicas = random.between(1, 2);
        const auto problem = test::random_problem(random, options, stages);
        const PartitionOptimum optimum(problem);
        const std::int64_t best = optimum.at(stages, replicas);
        const auto result = bound::prove_superblocks(problem, {.stages = stages, .max_replicas = replicas}, observer,
                                                     {.deadline = {}, .evaluations = 6, .stop = {}});
        ASSERT_TRUE(result);
        const auto* original = std::get_if<LinearProgramWitness>(&result->certificate.witness);
        if (!original) continue;
        for (int m = 0; m < 40; ++m) {
            bound::Certificate changed = result->certificate;
            auto& witness = std::get<LinearProgramWitness>(changed.witness);
            for (std::uint64_t times = 1 + random.below(3); times > 0; --times) {
                const auto any = [&]() -> LinearProgramWitness::Row& { return witness.rows[random.below(witness.rows.size())]; };
                switch (random.below(witness.rows.empty() ? 3 : 8)) {
                    case 0:
                        witness.threshold += Duration{random.between(-3, 30)};
                        break;
                    case 1:
                        witness.unit = random.between(0, 5);
                        break;
                    case 2:
                        if (witness.blocks.empty() || random.chance(0.5))
                            witness.blocks.insert(witness.blocks.begin(), random.between(-1, 3));
                        else
                            witness.blocks.pop_back();
                        break;
                    case 3:
                        any().multiplier = random.chance(0.2) ? std::numeric_limits<std::int64_t>::max() : random.between(-2, 1 << 20);
                        break;
                    case 4: {
                        std::int64_t& multiplier = any().multiplier;
                        multiplier = static_cast<std::int64_t>(static_cast<std::uint64_t>(multiplier) * 2);
                        break;
                    }
                    case 5:
                        any().row = static_cast<std::uint32_t>(random.below(200));
                        std::ranges::sort(witness.rows, {}, &LinearProgramWitness::Row::row);
                        break;
                    case 6:
                        witness.rows.erase(witness.rows.begin() + static_cast<std::ptrdiff_t>(random.below(witness.rows.size())));
                        break;
                    default:
                        std::swap(any().multiplier, any().multiplier);
                }
            }
            ++tried;
            const auto proven = bound::proven_by(problem, std::min(stages, result->certificate.stages), replicas, witness);
            if (!proven) {
                EXPECT_EQ(proven.error().kind, DiagnosticKind::verification);
                ++refused;
                continue;
            }
            ASSERT_LE(proven->count(), best);
            weaker += *proven < result->certificate.value;
            if (best == kImpossible) continue;
            changed.value = Duration{best + 1};
            ASSERT_FALSE(bound::check_certificate(problem, changed).empty());
        }
    }
    EXPECT_GT(tried, 4000u);
    EXPECT_GT(refused, tried / 20);
    EXPECT_GT(weaker, tried / 10);
}

TEST(BlockPrograms, OverflowIsAnObjection) {
    RandomStream random(47);
    RandomProblemOptions options{.min_operators = 6, .max_operators = 6, .largest_time = 1'000'000'000'000'000};
    const auto problem = test::random_problem(random, options, 2);
    LinearProgramWitness witness{.blocks = {1, 1}, .threshold = Duration{std::int64_t{1} << 60}, .unit = 1, .rows = {}};
    witness.unit = std::numeric_limits<std::int64_t>::max();
    for (std::uint32_t r = 0; r < 40; ++r) witness.rows.push_back({r, std::numeric_limits<std::int64_t>::max()});
    const auto proven = bound::proven_by(problem, 2, 1, witness);
    ASSERT_FALSE(proven);
}

TEST(BlockPrograms, WhatIsTooLargeIsRefusedWithNumbers) {
    RandomStream random(48);
    RandomProblemOptions options{.min_operators = 10'000, .max_operators = 10'000};
    const auto problem = test::random_problem(random, options, 64);
    SilentObserver observer;
    const auto result = bound::prove_mip(problem, {.stages = 64}, observer, {});
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find("10000 operators and 64 blocks"), std::string::npos) << result.error().message;
    EXPECT_NE(result.error().message.find("640000 pairs"), std::string::npos) << result.error().message;
    EXPECT_FALSE(result.error().help.empty());
}

TEST(BlockPrograms, SameUnderEvaluations) {
    SilentObserver observer;
    for (std::uint64_t i = 0; i < 4; ++i) {
        RandomStream random(49, i);
        const auto problem = test::random_problem(random, {.min_operators = 12, .max_operators = 12, .largest_time = 1000}, 4);
        for (const char* name : {"mip", "superblocks"}) {
            const Limits limits{.deadline = {}, .evaluations = 24, .stop = {}};
            const auto one = bound::find_bound(name).value()->prove(problem, {.stages = 4, .threads = 1}, observer, limits);
            const auto two = bound::find_bound(name).value()->prove(problem, {.stages = 4, .threads = 3}, observer, limits);
            ASSERT_TRUE(one && two);
            EXPECT_EQ(one->certificate, two->certificate);
            EXPECT_EQ(one->claim, two->claim);
            EXPECT_EQ(one->termination.evaluations, two->termination.evaluations);
        }
    }
}

}  // namespace
}  // namespace sluice
