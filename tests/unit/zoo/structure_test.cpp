// What each model is made of: fan-out of masks, the laws of the random graphs, the values of weights, and what masks do when they run.
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "sluice/base/files.hpp"
#include "tests/unit/zoo/helpers.hpp"
#include "tests/unit/zoo/runtime.hpp"

namespace sluice {
namespace {

using onnx::ZooWeights;
using Edge = std::pair<std::string, std::string>;

::onnx::GraphProto graph_of(const std::string& specification) {
    return test::parse(test::bytes_of(specification, ZooWeights::none)).graph();
}

std::map<std::string, int> operator_types_of(const ::onnx::GraphProto& graph) {
    std::map<std::string, int> types;
    for (const auto& node : graph.node()) ++types[node.op_type()];
    return types;
}

int readers_of(const ::onnx::GraphProto& graph, const std::string& tensor) {
    int count = 0;
    for (const auto& node : graph.node()) count += static_cast<int>(std::ranges::count(node.input(), tensor));
    return count;
}

/// Producer-consumer pairs among the operators (each has one output of its own name); "x" is the model's input.
std::set<Edge> edges_of(const ::onnx::GraphProto& graph, bool with_input = false) {
    std::set<std::string> producers;
    if (with_input) producers.insert("x");
    for (const auto& node : graph.node()) producers.insert(node.output(0));
    std::set<Edge> edges;
    for (const auto& node : graph.node()) {
        for (const auto& input : node.input()) {
            if (producers.contains(input)) edges.emplace(input, node.output(0));
        }
    }
    return edges;
}

TEST(ZooStructure, OneMaskFeedsEveryLayer) {
    const auto bert = graph_of("bert-base:layers=5");
    EXPECT_EQ(readers_of(bert, "mask"), 5);
    EXPECT_EQ(readers_of(bert, "attention_mask"), 1);
    const auto gpt2 = graph_of("gpt2:layers=5");
    EXPECT_EQ(readers_of(gpt2, "mask"), 5);
    EXPECT_EQ(readers_of(gpt2, "embeddings.word.weight"), 2);  // tied to the head
}

TEST(ZooStructure, OperatorsAreThoseOfTheArchitecture) {
    EXPECT_EQ(operator_types_of(graph_of("resnet50"))["Conv"], 53);
    EXPECT_EQ(operator_types_of(graph_of("resnet50"))["Add"], 16);
    auto bert = operator_types_of(graph_of("bert-base"));
    EXPECT_EQ(bert["MatMul"], 12 * 8);
    EXPECT_EQ(bert["LayerNormalization"], 25);
    EXPECT_EQ(bert["Erf"], 12);
    EXPECT_EQ(operator_types_of(graph_of("unet"))["Concat"], 4);
    auto dlrm = operator_types_of(graph_of("dlrm"));
    EXPECT_EQ(dlrm["Gemm"], 28 + 4 + 1);
    EXPECT_EQ(dlrm["Gather"], 7);
    EXPECT_EQ(graph_of("mmt").input_size(), 4);
    EXPECT_EQ(operator_types_of(graph_of("mmt"))["Softmax"], 32);
    EXPECT_EQ(operator_types_of(graph_of("moe"))["Split"], 4);
    EXPECT_EQ(readers_of(graph_of("moe:experts=9"), "layer0.attention.norm"), 9 + 2);  // experts, gate, residual
}

TEST(ZooStructure, BatchIsTheFirstAxisOfEveryInputAndOutput) {
    for (const auto& entry : onnx::zoo_entries()) {
        const auto graph = graph_of(std::string(entry.name) + ":batch=3");
        for (const auto* values : {&graph.input(), &graph.output()}) {
            for (const auto& value : *values) {
                EXPECT_EQ(value.type().tensor_type().shape().dim(0).dim_value(), 3) << entry.name << " " << value.name();
            }
        }
    }
}

TEST(ZooStructure, ThousandsOfOperatorsAreMade) {
    for (const char* model : {"random-sp", "random-er", "random-ba", "random-ws", "random-sbm"}) {
        EXPECT_EQ(graph_of(std::string(model) + ":operators=10000").node_size(), 10'000) << model;
        EXPECT_EQ(graph_of(std::string(model) + ":operators=99,seed=5").node_size(), 99) << model;
        const std::string first = test::bytes_of(std::string(model) + ":seed=1", ZooWeights::none);
        EXPECT_NE(edges_of(test::parse(first).graph()), edges_of(graph_of(std::string(model) + ":seed=2"))) << model;
    }
    EXPECT_EQ(graph_of("random-sp:operators=1").node_size(), 1);
}

TEST(ZooStructure, RandomGraphsHaveTheEdgesTheyAskFor) {
    EXPECT_EQ(edges_of(graph_of("random-er:operators=500,degree=3")).size(), 1500u);
    EXPECT_EQ(edges_of(graph_of("random-er:operators=9,degree=4")).size(), 36u);  // complete
    EXPECT_EQ(edges_of(graph_of("random-ba:operators=500,attach=3")).size(), 3u * 497 + 3);
    EXPECT_EQ(edges_of(graph_of("random-ws:operators=500,neighbours=3,rewire=0")).size(), 1500u);
    EXPECT_EQ(edges_of(graph_of("random-ws:operators=500,neighbours=3,rewire=50")).size(), 1500u);
    EXPECT_EQ(edges_of(graph_of("random-sbm:operators=500,within=2,between=1")).size(), 1500u);
    EXPECT_EQ(edges_of(graph_of("random-sbm:operators=500,within=3,between=0")).size(), 1500u);
}

TEST(ZooStructure, BarabasiAlbertHasHubsAndErdosRenyiHasNone) {
    const auto most_readers = [](const std::string& specification) {
        std::map<std::string, int> degree;
        int most = 0;
        for (const auto& [from, to] : edges_of(graph_of(specification))) most = std::max({most, ++degree[from], ++degree[to]});
        return most;
    };
    EXPECT_GT(most_readers("random-ba:operators=5000,attach=2"), 60);
    EXPECT_LT(most_readers("random-er:operators=5000,degree=2"), 25);
}

TEST(ZooStructure, WattsStrogatzIsARingWithTheShortcutsItAsksFor) {
    const auto shortcuts = [](const std::string& specification) {
        std::ptrdiff_t count = 0;
        for (const auto& [from, to] : edges_of(graph_of(specification))) {
            const int distance = std::abs(std::stoi(from.substr(2)) - std::stoi(to.substr(2)));  // "op12"
            if (std::min(distance, 1000 - distance) > 2) ++count;
        }
        return count;
    };
    EXPECT_EQ(shortcuts("random-ws:operators=1000,neighbours=2,rewire=0"), 0);
    EXPECT_NEAR(static_cast<double>(shortcuts("random-ws:operators=1000,neighbours=2,rewire=10")), 200.0, 50.0);
    EXPECT_NEAR(static_cast<double>(shortcuts("random-ws:operators=1000,neighbours=2,rewire=100")), 2000.0, 50.0);
}

TEST(ZooStructure, CommunitiesWithoutEdgesBetweenThemAreApart) {
    const auto edges = edges_of(graph_of("random-sbm:operators=400,blocks=4,within=6,between=0"));
    std::map<std::string, std::string> parent;
    const auto root = [&](std::string name) {
        while (parent.contains(name)) name = parent[name];
        return name;
    };
    std::set<std::string> names, roots;
    for (const auto& [from, to] : edges) {
        names.insert({from, to});
        if (root(from) != root(to)) parent[root(from)] = root(to);
    }
    for (const auto& name : names) roots.insert(root(name));
    EXPECT_EQ(roots.size(), 4u);
}

TEST(ZooStructure, TwoCommunitiesWithEdgesOnlyBetweenThemAreBipartite) {
    std::map<std::string, std::vector<std::string>> neighbours;
    for (const auto& [from, to] : edges_of(graph_of("random-sbm:operators=400,blocks=2,within=0,between=4"))) {
        neighbours[from].push_back(to);
        neighbours[to].push_back(from);
    }
    std::map<std::string, bool> side;
    for (const auto& [start, ignored] : neighbours) {
        if (!side.emplace(start, false).second) continue;
        for (std::vector<std::string> open = {start}; !open.empty();) {
            const std::string at = open.back();
            open.pop_back();
            for (const std::string& next : neighbours[at]) {
                if (side.emplace(next, !side[at]).second) open.push_back(next);
                ASSERT_NE(side[next], side[at]);
            }
        }
    }
}

TEST(ZooStructure, SeriesParallelGraphsReduceToOneEdge) {
    for (const char* sizes :
         {":operators=300", ":operators=300,seed=9,branches=9", ":operators=200,parallel=100", ":operators=50,parallel=0"}) {
        const auto graph = graph_of(std::string("random-sp") + sizes);
        ASSERT_EQ(graph.output_size(), 1);
        std::map<std::string, std::set<std::string>> after, before;  // sets: parallel edges merge by themselves
        for (const auto& [from, to] : edges_of(graph, true)) {
            after[from].insert(to);
            before[to].insert(from);
        }
        for (bool changed = true; changed;) {
            changed = false;
            for (const auto& node : graph.node()) {
                const std::string& name = node.output(0);
                if (before[name].size() != 1 || after[name].size() != 1) continue;
                const std::string from = *before[name].begin(), to = *after[name].begin();
                after[from].erase(name);
                before[to].erase(name);
                after[from].insert(to);
                before[to].insert(from);
                after[name].clear();
                before[name].clear();
                changed = true;
            }
        }
        std::size_t left = 0;
        for (const auto& [from, targets] : after) left += targets.size();
        EXPECT_EQ(left, 1u) << sizes;
    }
}

TEST(ZooWeights, AreNearNormalOfTheirDeviation) {
    const auto model = test::parse(test::bytes_of("chain:layers=1,width=1024", ZooWeights::random, 11));
    const auto& data = model.graph().initializer(0).raw_data();
    ASSERT_EQ(data.size(), 1024u * 1024 * 4);
    double sum = 0, squares = 0, beyond = 0;
    for (std::size_t i = 0; i < data.size(); i += 4) {
        float value = 0;
        std::memcpy(&value, data.data() + i, 4);
        sum += value;
        squares += static_cast<double>(value) * value;
        if (std::abs(value) > 1.0 / 32) ++beyond;
    }
    const double count = 1024.0 * 1024;
    EXPECT_NEAR(sum / count, 0.0, 2e-4);
    EXPECT_NEAR(std::sqrt(squares / count), 1.0 / 32, 1e-4);  // 1/sqrt(1024)
    EXPECT_NEAR(beyond / count, 0.317, 0.02);                 // a normal distribution's share beyond one deviation
}

TEST(ZooWeights, AreTheSameOnEveryMachine) {
    // Pinned: a plan names its model by the hash of its bytes. Changing a generator changes these on purpose.
    EXPECT_EQ(fingerprint_of(test::bytes_of("chain:layers=2,width=4", ZooWeights::random, 1)), "e207cd553989366b3b07c62b5324c4e2");
    EXPECT_EQ(fingerprint_of(test::bytes_of("random-sbm:operators=40", ZooWeights::random, 1)), "88757a6a1351ae3092b867278191142b");
}

TEST(ZooRuns, LaterTokensDoNotReachEarlierOnesInGpt2) {
    const std::string bytes = test::bytes_of("gpt2:layers=2,hidden=16,heads=2,ff=32,seq=6,vocab=20", ZooWeights::random);
    const auto one = test::run_bytes(bytes, {{"input_ids", {3, 4, 5, 6, 7, 8}}}).first;
    const auto two = test::run_bytes(bytes, {{"input_ids", {3, 4, 5, 6, 7, 9}}}).first;
    ASSERT_EQ(one.size(), 6u * 20);
    EXPECT_TRUE(std::equal(one.begin(), one.end() - 20, two.begin()));
    EXPECT_FALSE(std::equal(one.end() - 20, one.end(), two.end() - 20));
}

TEST(ZooRuns, MaskedTokensDoNotReachOthersInBert) {
    const std::string bytes = test::bytes_of("bert-base:layers=2,hidden=16,heads=2,ff=32,seq=6,vocab=20", ZooWeights::random);
    const auto run = [&](std::vector<std::int64_t> mask, std::int64_t last) {
        return test::run_bytes(bytes, {{"input_ids", {3, 4, 5, 6, 7, last}}, {"attention_mask", std::move(mask)}}).first;
    };
    const auto masked = run({1, 1, 1, 1, 1, 0}, 8), other = run({1, 1, 1, 1, 1, 0}, 9);
    EXPECT_TRUE(std::equal(masked.begin(), masked.end() - 16, other.begin()));
    const auto seen = run({1, 1, 1, 1, 1, 1}, 8), differs = run({1, 1, 1, 1, 1, 1}, 9);
    EXPECT_FALSE(std::equal(seen.begin(), seen.end() - 16, differs.begin()));
}

TEST(ZooRuns, LargeRandomGraphsStayFinite) {
    for (const char* model : {"random-sp", "random-er", "random-ba", "random-ws", "random-sbm"}) {
        const auto result = test::run_bytes(test::bytes_of(std::string(model) + ":operators=3000,width=8", ZooWeights::random));
        EXPECT_EQ(result.not_finite, 0u) << model;
        EXPECT_LE(result.largest, 1e6) << model;
    }
}

}  // namespace
}  // namespace sluice
