// The rules of thumb and PipeDream's planner: what they promise, and that no better cut of their kind exists.
#include "sluice/inference/splits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "sluice/graph/workloads.hpp"
#include "sluice/inference/pipedream.hpp"
#include "sluice/platform/platform.hpp"
#include "sluice/search/downsets.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

std::int64_t sum_of(std::span<const std::int64_t> values) { return std::accumulate(values.begin(), values.end(), std::int64_t{0}); }

/// The least largest sum of a run over all ways to cut.
std::int64_t best_cut(std::span<const std::int64_t> weights, std::size_t parts) {
    if (parts == 1) return sum_of(weights);
    std::int64_t best = sum_of(weights);
    for (std::size_t end = 1; end < weights.size(); ++end)
        best = std::min(best, std::max(sum_of(weights.first(end)), best_cut(weights.subspan(end), parts - 1)));
    return best;
}

TEST(BalancedCuts, NoCutHasASmallerLargestShare) {
    for (std::uint64_t i = 0; i < 2000; ++i) {
        RandomStream random(1, i);
        std::vector<std::int64_t> weights(1 + random.below(9));
        for (auto& weight : weights) weight = random.chance(0.3) ? 0 : random.between(1, 20);
        const auto parts = static_cast<std::int64_t>(1 + random.below(4));
        const auto ends = inference::balanced_cuts(weights, parts);
        ASSERT_LE(static_cast<std::int64_t>(ends.size()), parts);
        ASSERT_EQ(ends.back(), weights.size());
        std::int64_t largest = 0;
        std::size_t begin = 0;
        for (std::size_t end : ends) {
            ASSERT_LT(begin, end);
            largest = std::max(largest, sum_of(std::span(weights).subspan(begin, end - begin)));
            begin = end;
        }
        EXPECT_EQ(largest, best_cut(weights, static_cast<std::size_t>(parts)));
    }
}

TEST(BalancedCuts, EqualWeightsGiveEqualShares) {
    const std::vector<std::int64_t> weights(30, 1);
    EXPECT_EQ(inference::balanced_cuts(weights, 4), (std::vector<std::size_t>{7, 14, 22, 30}));
    EXPECT_EQ(inference::balanced_cuts(weights, 50).size(), 30u);
}

/// Every choice of classes for stages, by trying all.
TEST(PlaceStages, NoChoiceOfDevicesIsBetter) {
    std::size_t impossible = 0;
    for (std::uint64_t i = 0; i < 600; ++i) {
        RandomStream random(2, i);
        auto options = test::RandomProblemOptions::everything(10);
        options.classes = 0.8;
        const auto problem = test::random_problem(random, options);
        const auto drawn = test::random_partition(problem, 4, random);
        std::vector<std::vector<NodeId>> stages;
        for (const auto& stage : drawn.stages) stages.push_back(stage.nodes);
        std::optional<Duration> best;
        auto tried = drawn;
        for (std::size_t choice = 0; choice < (std::size_t{1} << (2 * stages.size())); ++choice) {
            bool exists = true;
            for (std::size_t s = 0; s < stages.size(); ++s) {
                const std::size_t c = choice >> (2 * s) & 3;
                exists = exists && c < problem.classes.size();
                tried.stages[s].device = ClassId(c);
            }
            if (!exists || !cost::faults_of(problem, tried, 4).empty()) continue;
            const Duration bottleneck = price(problem, tried).bottleneck;
            if (!best || bottleneck < *best) best = bottleneck;
        }
        const auto placed = inference::place_stages(problem, stages, {}, 4);
        ASSERT_EQ(placed.has_value(), best.has_value()) << i;
        if (placed) {
            EXPECT_TRUE(cost::faults_of(problem, *placed, 4).empty());
            EXPECT_EQ(price(problem, *placed).bottleneck, *best);
        } else {
            ++impossible;
        }
    }
    EXPECT_GT(impossible, 20u);
}

graph::NodeSet all_of(const cost::StageProblem& problem) {
    graph::NodeSet all(problem.node_count());
    for (std::size_t v = 0; v < problem.node_count(); ++v) all.insert(v);
    return all;
}

TEST(Pipedream, DownsetsAreAllThereAre) {
    RandomStream random(3);
    for (std::uint64_t i = 0; i < 200; ++i) {
        const auto problem = test::random_problem(random, {.max_operators = 10});
        const std::size_t n = problem.node_count();
        std::size_t count = 0;
        for (std::size_t set = 1; set < (std::size_t{1} << n); ++set) {
            bool down = true;
            for (std::size_t v = 0; v < n; ++v)
                for (NodeId u : problem.predecessors[v]) down = down && (!(set >> v & 1) || (set >> u.index() & 1));
            count += down;
        }
        const auto downsets = search::downsets_of(problem.predecessors, 1 << 10, all_of(problem));
        ASSERT_TRUE(downsets);
        EXPECT_EQ(downsets->size(), count);
        EXPECT_FALSE(search::downsets_of(problem.predecessors, count - 1, all_of(problem)));
    }
}

/// PipeDream's own cost of every chain of downsets, replicas included, by recursion.
TEST(Pipedream, FindsTheOptimumOfItsOwnCost) {
    for (std::uint64_t i = 0; i < 200; ++i) {
        RandomStream random(4, i);
        const auto problem = test::random_problem(random, {.max_operators = 7});
        const std::size_t n = problem.node_count(), all = (std::size_t{1} << n) - 1;
        const auto is_down = [&](std::size_t set) {
            for (std::size_t v = 0; v < n; ++v)
                for (NodeId u : problem.predecessors[v])
                    if ((set >> v & 1) && !(set >> u.index() & 1)) return false;
            return true;
        };
        const auto cut = [&](std::size_t set) {
            std::int64_t sum = 0;
            for (std::size_t e = 0; e < problem.edge_count(); ++e) {
                if (!problem.producer[e].valid() || !(set >> problem.producer[e].index() & 1)) continue;
                for (NodeId reader : problem.consumers[e])
                    if (!(set >> reader.index() & 1)) {
                        sum += problem.transfer[e].count();
                        break;
                    }
            }
            return sum;
        };
        const std::int64_t devices = 1 + static_cast<std::int64_t>(random.below(4)),
                           replicas = 1 + static_cast<std::int64_t>(random.below(3));
        const auto best = [&](auto&& self, std::size_t done, std::int64_t left) -> std::int64_t {
            if (done == all) return 0;
            std::int64_t least = std::numeric_limits<std::int64_t>::max();
            for (std::size_t set = all & ~done; set != 0; set = (set - 1) & all & ~done) {
                if (!is_down(done | set)) continue;
                std::int64_t work = 0;
                for (std::size_t v = 0; v < n; ++v)
                    if (set >> v & 1) work += problem.classes[0].work[v].count();
                const std::int64_t cost = std::max({work, cut(done), cut(done | set)});
                for (std::int64_t r = 1; r <= std::min(replicas, left); ++r)
                    least = std::min(least, std::max((cost + r - 1) / r, self(self, done | set, left - r)));
            }
            return least;
        };
        const auto split = inference::pipedream_split(problem, devices, replicas, {});
        ASSERT_TRUE(split);
        EXPECT_EQ(split->bottleneck.count(), best(best, 0, devices)) << i;
        EXPECT_FALSE(split->chain);
        // As a chain it is one of these, so no better.
        const auto chain = inference::pipedream_split(problem, devices, replicas, {}, 1);
        ASSERT_TRUE(chain);
        EXPECT_EQ(chain->chain, n > 1);
        EXPECT_GE(chain->bottleneck, split->bottleneck);
        std::size_t nodes = 0;
        for (const auto& stage : chain->stages) nodes += stage.size();
        EXPECT_EQ(nodes, n);
    }
}

/// The numbers of antichain states that the published planner prints for its own profiles; it leaves out the input node.
/// Those of one source: of several it follows only the one that its file names first (GNMT).
TEST(Pipedream, StatesOfThePublishedProfiles) {
    const std::filesystem::path folder = std::filesystem::path(SLUICE_SOURCE_DIR) / "../shared/workloads/pipedream";
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent: the published profiles cannot be read";
    for (const auto& [name, states] : {std::pair{"alexnet", 22u}, {"vgg16", 40u}, {"resnet50", 240u}, {"densenet121", 430u}}) {
        const auto path = folder / (std::string(name) + ".graph.txt");
        if (!std::filesystem::exists(path)) continue;
        std::ostringstream text;
        text << std::ifstream(path).rdbuf();
        const auto graph = graph::read_pipedream(text.str(), path.string(), name);
        ASSERT_TRUE(graph) << graph.error().message;
        const auto frozen = cost::freeze(*graph, platform::given_platform(*graph), 4);
        ASSERT_TRUE(frozen) << frozen.error().message;
        const auto downsets = search::downsets_of(frozen->problem.predecessors, inference::kMostStates, all_of(frozen->problem));
        ASSERT_TRUE(downsets) << name;
        EXPECT_EQ(downsets->size(), states + 1) << name;
    }
}

}  // namespace
}  // namespace sluice
