// The genetic search that `auto` takes turns with: begins at good orders, counts its quiet generations, begins again when told.
#include "sluice/inference/evolution.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sluice/inference/order_maker.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::inference {
namespace {

constexpr std::size_t kPopulation = 20;

cost::StageProblem some_problem(std::uint64_t seed) {
    RandomStream random(seed);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = 120;
    options.largest_time = 1'000'000;
    options.largest_transfer = 500'000;
    return test::random_problem(random, options, 64);
}

struct Search {
    explicit Search(std::uint64_t seed, int threads = 1)
        : problem(some_problem(seed)), options{.stages = 6, .seed = seed, .threads = threads} {}

    Order draw(RandomStream& random) const { return maker.make(kPerturbedOrders[random.below(kPerturbedOrders.size())], &random); }

    const cost::StageProblem problem;
    const PlannerOptions options;
    const Limits limits = {};
    SilentObserver observer;
    const OrderMaker maker{problem};
    Incumbent incumbent{problem, options, observer, limits, "test"};
    Evolution evolution{
        problem, kPopulation, GeneticShares{}, options, limits, incumbent, [this](RandomStream& random) { return draw(random); }};
};

TEST(Evolution, FirstMembersAreTheOrdersGiven) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        Search run(seed);
        run.evolution.run(1);
        search::Slicer slicer(run.problem);
        Duration best = Duration::max();
        for (std::size_t member = 0; member < kPopulation; ++member) {
            RandomStream random(seed, member);
            const auto sliced = slicer.slice(run.draw(random), {.stages = run.options.stages});
            if (sliced) best = std::min(best, cost::price(run.problem, *sliced).bottleneck);
        }
        EXPECT_EQ(run.incumbent.bottleneck(), best);
    }
}

TEST(Evolution, QuietUntilAMemberIsBetterAndAgainAfterARestart) {
    Search run(3);
    run.evolution.run(1);
    EXPECT_EQ(run.evolution.quiet(), 0u);
    std::size_t improved = 0;
    Duration best = run.incumbent.bottleneck();
    for (int g = 0; g < 200; ++g) {
        const std::size_t before = run.evolution.quiet();
        run.evolution.run(1);
        const bool better = run.incumbent.bottleneck() < best;
        EXPECT_EQ(run.evolution.quiet(), better ? 0 : before + 1);
        improved += better;
        best = run.incumbent.bottleneck();
    }
    EXPECT_GT(improved, 0u);
    EXPECT_GT(run.evolution.quiet(), 0u);
    run.evolution.restart();
    run.evolution.run(1);
    EXPECT_EQ(run.evolution.quiet(), 0u) << "a population without parents has nothing to be better than";
    EXPECT_LE(run.incumbent.bottleneck(), best);
}

TEST(Evolution, SameAtAnyThreadCount) {
    Search one(5), three(5, 3);
    for (Search* run : {&one, &three}) {
        run->evolution.run(15);
        run->evolution.restart();
        run->evolution.run(15);
    }
    EXPECT_EQ(one.incumbent.partition(), three.incumbent.partition());
    EXPECT_EQ(one.incumbent.evaluations_left(), three.incumbent.evaluations_left());
}

}  // namespace
}  // namespace sluice::inference
