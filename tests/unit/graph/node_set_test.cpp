#include "sluice/graph/node_set.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "sluice/graph/features.hpp"
#include "sluice/graph/reachability.hpp"

namespace sluice::graph {
namespace {

NodeSet set_of(std::size_t universe, std::initializer_list<std::size_t> members) {
    NodeSet set(universe);
    for (std::size_t i : members) set.insert(i);
    return set;
}

TEST(NodeSet, MembersAcrossWordBorders) {
    NodeSet set = set_of(130, {0, 63, 64, 127, 128, 129});
    EXPECT_EQ(set.count(), 6u);
    EXPECT_TRUE(set.contains(128));
    EXPECT_FALSE(set.contains(65));
    std::vector<std::size_t> seen;
    set.for_each([&](std::size_t i) { seen.push_back(i); });
    EXPECT_EQ(seen, (std::vector<std::size_t>{0, 63, 64, 127, 128, 129}));
    set.erase(128);
    EXPECT_FALSE(set.contains(128));
    set.clear();
    EXPECT_TRUE(set.empty());
    EXPECT_EQ(set.universe(), 130u);
}

TEST(NodeSet, Algebra) {
    const NodeSet a = set_of(70, {1, 2, 69}), b = set_of(70, {2, 3, 69});
    NodeSet u = a, i = a, d = a;
    u |= b;
    i &= b;
    d -= b;
    EXPECT_EQ(u, set_of(70, {1, 2, 3, 69}));
    EXPECT_EQ(i, set_of(70, {2, 69}));
    EXPECT_EQ(d, set_of(70, {1}));
    EXPECT_TRUE(u.contains(a));
    EXPECT_FALSE(a.contains(u));
    EXPECT_TRUE(a.contains(NodeSet(70))) << "the empty set is in every set";
    EXPECT_TRUE(a.intersects(b));
    EXPECT_FALSE(d.intersects(b));
    EXPECT_EQ(u.hash(), set_of(70, {69, 3, 2, 1}).hash());
    EXPECT_NE(a.hash(), b.hash());
    EXPECT_NE(NodeSet(70).hash(), NodeSet(71).hash());
}

TEST(Reachability, DownsetsHoldTheirPredecessors) {
    // 0 -> 1 -> 3, 0 -> 2

    struct Vertex {
        std::size_t value;
        [[nodiscard]] std::size_t index() const { return value; }
    };
    const Rows<Vertex> predecessors(std::vector<std::vector<Vertex>>{{}, {{0}}, {{0}}, {{1}}});
    EXPECT_TRUE(is_downset(set_of(4, {0, 2}), predecessors));
    EXPECT_TRUE(is_downset(set_of(4, {}), predecessors));
    EXPECT_FALSE(is_downset(set_of(4, {0, 3}), predecessors));
    const auto up = ancestors(predecessors);
    EXPECT_EQ(up[3], set_of(4, {0, 1}));
    EXPECT_EQ(up[2], set_of(4, {0}));
}

TEST(Features, NamesRoundTrip) {
    for (std::size_t i = 0; i < kOperatorClasses; ++i) {
        const auto value = static_cast<OperatorClass>(i);
        EXPECT_EQ(parse_operator_class(to_text(value)), value);
    }
    for (std::size_t i = 0; i < kDataTypes; ++i) {
        const auto value = static_cast<DataType>(i);
        EXPECT_EQ(parse_data_type(to_text(value)), value);
    }
    EXPECT_EQ(to_text(OperatorClass::unknown), "unknown");
    EXPECT_EQ(to_text(DataType::other), "other");
    EXPECT_FALSE(parse_data_type("f33"));
    EXPECT_FALSE(parse_operator_class(""));
}

TEST(Features, BytesOfElements) {
    EXPECT_EQ(bytes_of(DataType::f32, 3), Bytes{12});
    EXPECT_EQ(bytes_of(DataType::f64, 3), Bytes{24});
    EXPECT_EQ(bytes_of(DataType::boolean, 3), Bytes{3});
    EXPECT_EQ(bytes_of(DataType::i4, 3), Bytes{2});
    EXPECT_EQ(bytes_of(DataType::i4, std::numeric_limits<std::int64_t>::max()), Bytes{std::int64_t{1} << 62});
    EXPECT_EQ(bytes_of(DataType::text, 3), Bytes{48});
    EXPECT_EQ(bytes_of(DataType::f32, 0), Bytes{0});
    EXPECT_FALSE(bytes_of(DataType::f32, -1));
    EXPECT_FALSE(bytes_of(DataType::f64, std::int64_t{1} << 60));
}

}  // namespace
}  // namespace sluice::graph
