#include "sluice/graph/series_parallel.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "sluice/base/random.hpp"

namespace sluice::graph {
namespace {

using Kind = SeriesParallelTree::Kind;

/// "(0 [1 2] 3)": in series in (), side by side in [].
std::string text_of(const SeriesParallelTree& tree, std::size_t part) {
    const SeriesParallelTree::Part& shown = tree.parts[part];
    if (shown.kind == Kind::leaf) return std::to_string(shown.node);
    std::string text;
    for (const std::uint32_t child : shown.children) text += (text.empty() ? "" : " ") + text_of(tree, child);
    return shown.kind == Kind::series ? "(" + text + ")" : "[" + text + "]";
}

struct Made {
    std::string text;
    std::size_t converted;
    friend bool operator==(const Made&, const Made&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Made& made) {
        return out << made.text << ", " << made.converted << " converted";
    }
};

Made tree_of(std::size_t nodes, std::vector<Arc> arcs) {
    const SeriesParallelTree tree = series_parallel_tree(nodes, arcs);
    return {text_of(tree, tree.parts.size() - 1), tree.converted};
}

TEST(SeriesParallel, SmallGraphs) {
    EXPECT_TRUE(series_parallel_tree(0, {}).parts.empty());
    EXPECT_EQ(tree_of(1, {}), (Made{"0", 0}));
    EXPECT_EQ(tree_of(2, {}), (Made{"[0 1]", 0}));
    EXPECT_EQ(tree_of(3, {{0, 1}, {1, 2}}), (Made{"(0 1 2)", 0}));
    EXPECT_EQ(tree_of(4, {{0, 1}, {0, 2}, {1, 3}, {2, 3}}), (Made{"(0 [1 2] 3)", 0}));
}

TEST(SeriesParallel, SeveralSourcesAndSinks) {
    // Two branches with their own inputs that meet in node 4, which two heads read.
    EXPECT_EQ(tree_of(7, {{0, 1}, {2, 3}, {1, 4}, {3, 4}, {4, 5}, {4, 6}}), (Made{"([(0 1) (2 3)] 4 [5 6])", 0}));
}

TEST(SeriesParallel, SkipsAddNothing) { EXPECT_EQ(tree_of(4, {{0, 1}, {1, 2}, {2, 3}, {0, 2}, {0, 3}, {0, 1}}), (Made{"(0 1 2 3)", 0})); }

TEST(SeriesParallel, EveryNodeOfOnePartBeforeEveryNodeOfTheNext) {
    EXPECT_EQ(tree_of(4, {{0, 2}, {0, 3}, {1, 2}, {1, 3}}), (Made{"([0 1] [2 3])", 0}));
    // The same below a source that also feeds the second part itself.
    EXPECT_EQ(tree_of(5, {{4, 0}, {4, 1}, {4, 2}, {0, 2}, {0, 3}, {1, 2}, {1, 3}}), (Made{"(4 [0 1] [2 3])", 0}));
}

TEST(SeriesParallel, AnNIsRewritten) {
    // 0 < 2, 0 < 3, 1 < 3: that 3 waits for 2 too makes it a tree.
    EXPECT_EQ(tree_of(4, {{0, 2}, {0, 3}, {1, 3}}), (Made{"([(0 2) 1] 3)", 4}));
}

TEST(SeriesParallel, OnlyTheOffendingBlockIsRewritten) {
    // 0 … 3 hold an N; 4 and 5 come before it, 6 runs beside all of it. 5 is on 6's other side alone: it counts, and changes nothing.
    EXPECT_EQ(tree_of(8, {{4, 5}, {5, 0}, {5, 1}, {0, 2}, {0, 3}, {1, 3}, {2, 7}, {3, 7}, {4, 6}, {6, 7}}),
              (Made{"(4 [(5 [(0 2) 1] 3) 6] 7)", 5}));
}

TEST(SeriesParallel, HashesSeeOrderInSeriesAlone) {
    // ([(0 1) (2 3)]): equal branches when their labels are.
    const SeriesParallelTree tree = series_parallel_tree(4, std::vector<Arc>{{0, 1}, {2, 3}});
    const auto branches = tree.parts.back().children;
    const auto hashes = [&](std::vector<std::uint64_t> labels) {
        const auto all = part_hashes(tree, labels);
        return std::pair(all[branches[0]], all[branches[1]]);
    };
    const auto [same, same_too] = hashes({7, 8, 7, 8});
    EXPECT_EQ(same, same_too);
    const auto [one, other] = hashes({7, 8, 8, 7});
    EXPECT_NE(one, other);
    EXPECT_EQ(part_hashes(tree, std::vector<std::uint64_t>{1, 2, 3, 4}).back(),
              part_hashes(tree, std::vector<std::uint64_t>{3, 4, 1, 2}).back());
    EXPECT_NE(part_hashes(tree, std::vector<std::uint64_t>{1, 2, 3, 4}).back(),
              part_hashes(tree, std::vector<std::uint64_t>{1, 3, 2, 4}).back());
}

TEST(SeriesParallel, LongChainsAndLargeRandomGraphs) {
    constexpr std::uint32_t kNodes = 10'000;
    std::vector<Arc> chain, random_arcs;
    for (std::uint32_t v = 1; v < kNodes; ++v) chain.push_back({v - 1, v});
    EXPECT_EQ(series_parallel_tree(kNodes, chain).parts.size(), kNodes + 1);
    RandomStream random(1);
    for (std::uint32_t v = 1; v < kNodes; ++v)
        for (int i = 0; i < 3; ++i)
            random_arcs.push_back({static_cast<std::uint32_t>(random.between(std::max<std::int64_t>(0, std::int64_t{v} - 50), v - 1)), v});
    const SeriesParallelTree tree = series_parallel_tree(kNodes, random_arcs);
    std::size_t leaves = 0;
    for (const auto& part : tree.parts) leaves += part.kind == Kind::leaf ? 1 : 0;
    EXPECT_EQ(leaves, kNodes);
}

}  // namespace
}  // namespace sluice::graph
