#include "sluice/search/serial_problem.hpp"

#include <gtest/gtest.h>

#include "tests/support/brute_force.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::search {
namespace {

using Index = SerialProblem::Index;

/// The least bottleneck over all partitions into groups, from the definition.
std::int64_t optimum(const SerialProblem& problem) {
    const std::size_t groups = problem.group_count(), sets = std::size_t{1} << groups;
    std::vector<std::int64_t> cost(sets);
    for (std::size_t set = 1; set < sets; ++set) {
        std::vector<Index> stage;
        for (std::size_t g = 0; g < groups; ++g)
            if (set >> g & 1) stage.push_back(static_cast<Index>(g));
        cost[set] = stage_cost(problem, stage);
    }
    const auto closed = [&](std::size_t set) {
        for (std::size_t g = 0; g < groups; ++g)
            for (Index before : problem.predecessors[g])
                if ((set >> g & 1) && !(set >> before & 1)) return false;
        return true;
    };
    constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
    const auto devices = static_cast<std::size_t>(problem.devices);
    std::vector<std::vector<std::int64_t>> best(devices + 1, std::vector<std::int64_t>(sets, kNone));
    best[0][0] = 0;
    for (std::size_t d = 0; d <= devices; ++d)
        for (std::size_t done = 0; done < sets; ++done) {
            if (best[d][done] == kNone) continue;
            const std::size_t rest = (sets - 1) & ~done;
            for (std::size_t set = rest; set != 0; set = (set - 1) & rest) {
                if (!closed(done | set)) continue;
                for (std::int64_t r = 1; r <= problem.replicas && d + static_cast<std::size_t>(r) <= devices; ++r) {
                    auto& to = best[d + static_cast<std::size_t>(r)][done | set];
                    to = std::min(to, std::max(best[d][done], (cost[set] + r - 1) / r));
                }
            }
        }
    std::int64_t least = kNone;
    for (const auto& row : best) least = std::min(least, row[sets - 1]);
    return least;
}

TEST(SerialProblem, ExactRelaxationsHaveTheSameOptimumAndOthersNoLarger) {
    std::size_t exact = 0;
    for (std::uint64_t seed = 0; seed < 1500; ++seed) {
        RandomStream random(seed, 1);
        const auto options = seed % 2 ? test::RandomProblemOptions::everything(7) : test::RandomProblemOptions{};
        const cost::StageProblem problem = test::random_problem(random, options);
        const std::int64_t stages = random.between(1, 4), replicas = random.between(1, 2);
        const std::int64_t truth = test::PartitionOptimum(problem).at(stages, replicas);
        if (truth == test::PartitionOptimum::kImpossible) continue;
        for (const Charge& charge : charges_for(problem.model)) {
            const auto relaxed = relax_to_serial(problem, stages, replicas, charge);
            ASSERT_TRUE(relaxed);
            const std::int64_t value = optimum(*relaxed);
            ASSERT_LE(value, charge.scale * truth) << "seed " << seed;
            if (!relaxed->exact) continue;
            ASSERT_EQ(value, truth) << "seed " << seed;
            ++exact;
        }
    }
    EXPECT_GT(exact, 500u);
}

TEST(SerialProblem, MergesKeepAnOptimum) {
    std::size_t merged = 0;
    for (std::uint64_t seed = 0; seed < 2500; ++seed) {
        RandomStream random(seed, 2);
        test::RandomProblemOptions options;
        options.largest_time = 1 + static_cast<std::int64_t>(seed % 20);
        options.largest_transfer = 25;
        const cost::StageProblem problem = test::random_problem(random, options);
        const std::int64_t stages = random.between(1, 5), replicas = random.between(1, 2);
        const auto relaxed = relax_to_serial(problem, stages, replicas);
        ASSERT_TRUE(relaxed);
        const SerialProblem after = merge_safely(*relaxed);
        merged += relaxed->group_count() - after.group_count();
        ASSERT_EQ(relaxed->group_count() - after.group_count(), after.merges.size());
        ASSERT_EQ(optimum(after), optimum(*relaxed)) << "seed " << seed;
        for (std::size_t g = 0; g < after.group_count(); ++g)
            for (Index before : after.predecessors[g]) ASSERT_LT(before, g);
    }
    EXPECT_GT(merged, 1000u);
}

TEST(SerialProblem, AStageCostsWhatTheObjectiveSays) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        RandomStream random(seed, 3);
        const cost::StageProblem problem = test::random_problem(random);
        const auto relaxed = relax_to_serial(problem, 3, 1);
        ASSERT_TRUE(relaxed);
        if (!relaxed->exact) continue;
        const SerialProblem merged = merge_safely(*relaxed);
        std::vector<Index> stage;
        for (std::size_t g = 0; g < merged.group_count(); ++g)
            if (random.chance(0.5)) stage.push_back(static_cast<Index>(g));
        const cost::Partition partition = to_partition(merged, problem, {stage}, {1});
        EXPECT_EQ(
            stage_cost(merged, stage),
            cost::stage_time(problem.model, cost::stage_terms(problem, partition.stages[0].nodes, partition.stages[0].device)).count());
    }
}

}  // namespace
}  // namespace sluice::search
