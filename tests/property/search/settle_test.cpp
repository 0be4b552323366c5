// Local search on partitions: the workbench agrees with the reference cost at every step, and what comes out is never worse than what went
// in.
#include "sluice/search/settle.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sluice/search/cluster.hpp"
#include "sluice/search/slice.hpp"
#include "sluice/search/stage_graph.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using cost::Objective;

cost::StageProblem mixed_problem(std::uint64_t seed, std::size_t operators) {
    RandomStream random(seed);
    test::RandomProblemOptions options = test::RandomProblemOptions::everything(operators);
    options.min_operators = operators / 2;
    return test::random_problem(random, options, 6);
}

std::int64_t devices(const cost::Partition& partition) {
    std::int64_t sum = 0;
    for (const cost::Stage& stage : partition.stages) sum += stage.replicas;
    return sum;
}

void expect_same(const cost::StageProblem& problem, search::StageGraph& graph) {
    const auto latency = graph.latency();
    cost::Partition raw;
    for (std::size_t s = 0; s < graph.stage_count(); ++s)
        if (!graph.empty(s)) {
            raw.stages.push_back({graph.members(s), graph.device(s), 1});
            RC_ASSERT(graph.time(s) == stage_time(problem.model, stage_terms(problem, graph.members(s), graph.device(s))));
        }
    const auto sorted = cost::normalise(problem, raw);
    RC_ASSERT(sorted.has_value() == latency.has_value());
    if (!sorted) return;
    RC_ASSERT(cost::price(problem, *sorted).latency == *latency);
    const cost::Partition ordered = graph.partition();
    RC_ASSERT(cost::price(problem, ordered).latency == *latency);
}

RC_GTEST_PROP(StageGraphProperty, AgreesWithTheReferenceAfterEveryMove, (std::uint64_t seed)) {
    const auto problem = mixed_problem(seed, 30);
    RandomStream random(seed, 1);
    search::StageGraph graph(problem, test::random_partition(problem, 5, random));
    expect_same(problem, graph);
    for (int i = 0; i < 20; ++i) {
        const std::size_t a = random.below(graph.stage_count()), b = random.below(graph.stage_count());
        const auto before = graph.latency();
        const bool undone = random.chance(0.5);
        switch (random.below(3)) {
            case 0: {
                const NodeId node(random.below(problem.node_count()));
                if (graph.stage_of(node) == a) break;
                graph.move(node, a);
                expect_same(problem, graph);
                if (undone || !graph.latency()) graph.undo_move();
                if (undone) RC_ASSERT(graph.latency() == before);
                break;
            }
            case 1: {
                if (a == b || graph.empty(a) || graph.empty(b)) break;
                const auto merged = graph.merge(a, b);
                expect_same(problem, graph);
                if (undone || !graph.latency()) graph.undo(merged);
                if (undone) RC_ASSERT(graph.latency() == before);
                break;
            }
            default:
                graph.set_device(a, ClassId(random.below(problem.classes.size())));
        }
        expect_same(problem, graph);
    }
}

TEST(StageGraphProperty, NothingIsLostInAHundredThousandMoves) {
    const auto problem = mixed_problem(5, 200);
    RandomStream random(5, 2);
    search::StageGraph graph(problem, test::random_partition(problem, 8, random));
    int kept = 0;
    for (int made = 0; made < 100'000;) {
        const NodeId node(random.below(problem.node_count()));
        const std::size_t to = random.below(graph.stage_count());
        if (graph.stage_of(node) == to) continue;
        graph.move(node, to);
        ++made;
        if (random.chance(0.3) || !graph.latency())
            graph.undo_move();
        else
            ++kept;
    }
    EXPECT_GT(kept, 1000);
    const auto latency = graph.latency();
    ASSERT_TRUE(latency);
    EXPECT_EQ(cost::price(problem, graph.partition()).latency, *latency);
    for (std::size_t s = 0; s < graph.stage_count(); ++s)
        if (!graph.empty(s)) {
            EXPECT_EQ(graph.time(s), stage_time(problem.model, stage_terms(problem, graph.members(s), graph.device(s))));
        }
}

RC_GTEST_PROP(SettleProperty, NeverWorseAndAlwaysValid, (std::uint64_t seed)) {
    const auto problem = mixed_problem(seed, 60);
    RandomStream random(seed, 1);
    const auto stages = random.between(1, 6), replicas = random.between(1, 3);
    if (!search::sliceable(problem, stages, replicas)) return;
    const auto sliced = search::Slicer(problem).slice(test::random_order(problem, random), {.stages = stages, .max_replicas = replicas});
    if (!sliced) return;
    const auto before = price(problem, *sliced);
    for (const Objective objective : cost::kObjectives)
        for (const std::int64_t budget : {std::int64_t{100'000'000}, random.between(0, 20'000)}) {
            const auto settled =
                search::settle(problem, *sliced, {.stages = stages, .max_replicas = replicas, .objective = objective, .budget = budget});
            const auto faults = cost::faults_of(problem, settled, stages);
            if (!faults.empty()) RC_FAIL(faults.front().message);
            for (const cost::Stage& stage : settled.stages) RC_ASSERT(stage.replicas <= replicas);
            const auto after = price(problem, settled);
            RC_ASSERT(!better(before, after, objective));
            if (objective == Objective::throughput) {
                RC_ASSERT(after.bottleneck <= before.bottleneck);
                RC_ASSERT(after.latency < before.latency || devices(settled) <= devices(*sliced));
            } else {
                RC_ASSERT(after.latency <= before.latency);
            }
        }
}

RC_GTEST_PROP(SettleProperty, DevicesAreSharedAsWellAsCanBe, (std::uint64_t seed)) {
    const auto problem = mixed_problem(seed, 12);
    RandomStream random(seed, 1);
    const auto stages = random.between(1, 6), replicas = random.between(1, 3);
    auto partition = test::random_partition(problem, static_cast<std::size_t>(random.between(1, 3)), random);
    std::vector<Duration> times;
    for (const cost::StageTerms& terms : price(problem, partition).stages) times.push_back(stage_time(problem.model, terms));
    const auto within = [&](const cost::Partition& p) {
        std::vector<std::int64_t> used(problem.classes.size());
        for (const cost::Stage& stage : p.stages) used[stage.device.index()] += stage.replicas;
        for (std::size_t c = 0; c < used.size(); ++c)
            if (used[c] > problem.classes[c].count) return false;
        return devices(p) <= stages;
    };
    if (!within(partition)) return;
    cost::Partition shared = partition;
    search::share_devices(problem, times, stages, replicas, shared);
    RC_ASSERT(within(shared));
    const auto best = price(problem, shared).bottleneck;
    // Every other choice.
    const auto other = [&](auto&& self, std::size_t s) -> void {
        if (s == partition.stages.size()) {
            if (!within(partition)) return;
            const auto bottleneck = price(problem, partition).bottleneck;
            RC_ASSERT(best <= bottleneck);
            RC_ASSERT(best < bottleneck || devices(shared) <= devices(partition));
            return;
        }
        for (std::int64_t r = 1; r <= replicas; ++r) {
            partition.stages[s].replicas = r;
            self(self, s + 1);
        }
    };
    other(other, 0);
}

RC_GTEST_PROP(ClusterProperty, ValidAndNoLongerThanOneStage, (std::uint64_t seed)) {
    const auto problem = mixed_problem(seed, 80);
    RandomStream random(seed, 1);
    const auto stages = random.between(1, 6);
    const auto found = search::cluster(problem, {.stages = stages, .random = seed % 2 ? &random : nullptr});
    if (!found) return;
    const auto faults = cost::faults_of(problem, *found, stages);
    if (!faults.empty()) RC_FAIL(faults.front().message);
}

}  // namespace
}  // namespace sluice
