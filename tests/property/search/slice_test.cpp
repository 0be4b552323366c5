// What holds for slicings of any size.
#include "sluice/search/slice.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sluice/inference/orders.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

cost::StageProblem plain_problem(std::uint64_t seed, std::size_t operators) {
    RandomStream random(seed);
    test::RandomProblemOptions options = test::RandomProblemOptions::everything(operators);
    options.min_operators = operators / 2;
    options.largest_time = 100'000;
    options.largest_transfer = 50'000;
    options.hard = options.classes = options.mixed = 0;
    return test::random_problem(random, options, 12);
}

std::int64_t bottleneck(const cost::StageProblem& problem, const cost::Partition& partition) {
    return price(problem, partition).bottleneck.count();
}

RC_GTEST_PROP(SliceProperty, NoRandomCutOfTheOrderIsBetter, (std::uint64_t seed)) {
    const auto problem = plain_problem(seed, 120);
    RandomStream random(seed, 1);
    const auto partition = test::random_partition(problem, 8, random);
    std::vector<NodeId> order;
    for (const auto& stage : partition.stages) order.insert(order.end(), stage.nodes.begin(), stage.nodes.end());
    const auto best = search::Slicer(problem).slice(order, {.stages = 8});
    RC_ASSERT(best.has_value());
    RC_ASSERT(cost::faults_of(problem, *best, 8).empty());
    RC_ASSERT(bottleneck(problem, *best) <= bottleneck(problem, partition));
}

RC_GTEST_PROP(SliceProperty, NoRandomCutWithReplicasIsBetter, (std::uint64_t seed)) {
    const auto problem = plain_problem(seed, 120);
    RandomStream random(seed, 1);
    auto partition = test::random_partition(problem, 5, random);
    std::vector<NodeId> order;
    for (const auto& stage : partition.stages) order.insert(order.end(), stage.nodes.begin(), stage.nodes.end());
    const std::int64_t most = random.between(1, 4);
    std::int64_t last = std::numeric_limits<std::int64_t>::max(), devices = 0;
    for (auto& stage : partition.stages) devices += stage.replicas = random.between(1, most);
    search::Slicer slicer(problem);
    for (std::int64_t replicas = 1; replicas <= most; ++replicas) {
        const auto best = slicer.slice(order, {.stages = 12, .max_replicas = replicas});
        RC_ASSERT(best.has_value());
        RC_ASSERT(cost::faults_of(problem, *best, 12).empty());
        const std::int64_t now = bottleneck(problem, *best);
        RC_ASSERT(now <= last);
        last = now;
    }
    RC_ASSERT(devices > 12 || last <= bottleneck(problem, partition));
}

RC_GTEST_PROP(SliceProperty, MoreStagesNeverHurt, (std::uint64_t seed)) {
    const auto problem = plain_problem(seed, 300);
    const auto order = inference::depth_first_order(problem);
    search::Slicer slicer(problem);
    std::int64_t last = std::numeric_limits<std::int64_t>::max();
    for (std::int64_t stages : {1, 2, 3, 5, 12}) {
        const auto partition = slicer.slice(order, {.stages = stages});
        RC_ASSERT(partition.has_value());
        RC_ASSERT(static_cast<std::int64_t>(partition->stages.size()) <= stages);
        const std::int64_t now = bottleneck(problem, *partition);
        RC_ASSERT(now <= last);
        last = now;
    }
}

RC_GTEST_PROP(SliceProperty, ASlicingThatIsStoppedIsStillValid, (std::uint64_t seed)) {
    const auto problem = plain_problem(seed, 1000);
    const auto order = inference::depth_first_order(problem);
    search::Slicer slicer(problem);
    const Limits limits{.deadline = Limits::Clock::now() + std::chrono::microseconds(seed % 2000), .evaluations = {}, .stop = {}};
    const auto partition = slicer.slice(order, {.stages = 12, .limits = &limits});
    if (partition) RC_ASSERT(cost::faults_of(problem, *partition, 12).empty());
    const auto whole = slicer.slice(order, {.stages = 12});
    RC_ASSERT(whole.has_value());
    if (partition) RC_ASSERT(bottleneck(problem, *whole) <= bottleneck(problem, *partition));
}

}  // namespace
}  // namespace sluice
