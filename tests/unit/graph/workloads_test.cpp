#include "sluice/graph/workloads.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <format>

#include "sluice/base/files.hpp"
#include "sluice/graph/decimal.hpp"
#include "sluice/graph/serialise.hpp"
#include "sluice/graph/summary.hpp"

namespace sluice::graph {
namespace {

TEST(Decimal, TakesTheShortestDecimalOfADouble) {
    EXPECT_EQ(scaled(0.696, 9), 696'000'000);
    EXPECT_EQ(scaled(6.959999999999999, 9), 6'960'000'000) << "rounded up";
    EXPECT_EQ(scaled(6.959999999999999, 9, Rounding::down), 6'959'999'999);
    EXPECT_EQ(scaled(1.862645149230957e-09, 9), 2);
    EXPECT_EQ(scaled(1.05, 0), 2) << "a digit that is dropped early counts too";
    EXPECT_EQ(scaled(1e-300, 9), 1);
    EXPECT_EQ(scaled(1e-300, 9, Rounding::down), 0);
    EXPECT_EQ(scaled(0.0, 9), 0);
    EXPECT_EQ(scaled(-0.0, 9), 0);
    EXPECT_EQ(scaled(17185374208.0, 0), 17185374208);
    EXPECT_EQ(scaled(30.0, 12), 30'000'000'000'000);
    EXPECT_EQ(scaled(9e18, 0), 9'000'000'000'000'000'000);
    EXPECT_FALSE(scaled(1e19, 0));
    EXPECT_FALSE(scaled(1e300, 9));
    EXPECT_FALSE(scaled(-1e-300, 0));
    EXPECT_FALSE(scaled(std::numeric_limits<double>::infinity(), 0));
    EXPECT_FALSE(scaled(std::numeric_limits<double>::quiet_NaN(), 0));
}

std::string fault(const Result<Graph>& graph) {
    if (graph) return "read without complaint";
    return std::format("{}: {}", graph.error().where.line, graph.error().message);
}
bool assumes(const Graph& graph, std::string_view words) {
    return std::ranges::any_of(graph.assumptions(), [&](const std::string& text) { return text.find(words) != std::string::npos; });
}

// --- msr -------------------------------------------------------------------------------------------------------------

Result<Graph> msr(std::string_view nodes, std::string_view edges,
                  std::string_view head = R"("maxSizePerFPGA": 100.9, "maxFPGAs": 3, "maxCPUs": 1,)") {
    const auto document = json::parse(std::format("{{{}\n\"nodes\": [{}],\n\"edges\": [{}]}}", head, nodes, edges), "w.json");
    if (!document) return std::unexpected(document.error());
    EXPECT_EQ(detect_format(*document), JsonFormat::msr);
    return read_msr(*document, "w");
}
std::string node(int id, std::string_view rest = "") {
    return std::format(R"({{"id": {}, "supportedOnFpga": 1, "cpuLatency": 2.5, "fpgaLatency": 0.25{}}})", id, rest);
}
std::string edge(int from, int to, std::string_view cost = "1", std::string_view rest = "") {
    return std::format(R"({{"sourceId": {}, "destId": {}, "cost": {}{}}})", from, to, cost, rest);
}

TEST(Msr, TimesTensorsParametersAndSupport) {
    const auto g = msr(node(7, R"(, "size": 10.5, "name": "conv")") + "," + node(3) +
                           R"(,{"id": 4, "supportedOnFpga": false, "cpuLatency": 1, "fpgaLatency": 0})",
                       edge(7, 3, "0.125", R"(, "size": 7.5)") + "," + edge(7, 4, "0.125", R"(, "size": 2)"));
    ASSERT_TRUE(g.has_value()) << to_text(g.error());
    EXPECT_EQ(g->operator_count(), 3u);
    EXPECT_EQ(g->tensor_count(), 1u) << "one tensor a source, none for nodes that nobody reads";
    EXPECT_EQ((*g)[TensorId(0)].bytes, Bytes{8});
    EXPECT_TRUE(assumes(*g, "1 nodes give several sizes"));
    EXPECT_EQ(g->consumers(TensorId(0)).size(), 2u);
    EXPECT_EQ(g->label(OperatorId(0)), "conv");
    ASSERT_EQ(g->parameter_count(), 1u);
    EXPECT_EQ((*g)[ParameterId(0)].bytes, Bytes{11});
    const GivenCosts& costs = *g->given_costs();
    ASSERT_EQ(costs.classes.size(), 2u);
    EXPECT_EQ(costs.classes[0].name, "fpga");
    EXPECT_EQ(costs.classes[0].count, 3);
    EXPECT_EQ(costs.classes[0].memory, Bytes{100}) << "a limit is rounded down";
    EXPECT_EQ(costs.classes[0].time[0], Duration{250'000'000});
    EXPECT_FALSE(costs.classes[0].time[2].has_value());
    EXPECT_EQ(costs.classes[1].name, "cpu");
    EXPECT_FALSE(costs.classes[1].memory.has_value());
    EXPECT_EQ(costs.classes[1].time[1], Duration{2'500'000'000});
    EXPECT_EQ(costs.transfer, std::vector{Duration{125'000'000}});
    EXPECT_FALSE(costs.link.has_value());
}

TEST(Msr, ColoursTieNodesOfOneDirection) {
    const auto g =
        msr(node(0, R"(, "colorClass": 9)") + "," + node(1, R"(, "colorClass": 9, "isBackwardNode": false)") + "," +
                node(2, R"(, "colorClass": 9, "isBackwardNode": true)") + "," + node(3, R"(, "colorClass": 9, "isBackwardNode": 1)") + "," +
                node(4, R"(, "colorClass": 5)") + "," + node(5, R"(, "colorClass": null)") + "," + node(6),
            "");
    ASSERT_TRUE(g.has_value()) << to_text(g.error());
    const auto colour = [&](std::size_t v) { return (*g)[OperatorId(v)].colour; };
    ASSERT_TRUE(colour(0).has_value());
    ASSERT_TRUE(colour(2).has_value());
    EXPECT_EQ(colour(0), colour(1));
    EXPECT_EQ(colour(2), colour(3));
    EXPECT_NE(colour(0), colour(2));
    for (std::size_t v : {4, 5, 6}) EXPECT_FALSE(colour(v).has_value()) << "a class of one ties nothing";
    EXPECT_TRUE(assumes(*g, "one direction"));
}

TEST(Msr, OutputsWithoutSizeTakeBytesFromTheirCost) {
    const auto g = msr(node(0) + "," + node(1), edge(0, 1, "1000"));
    ASSERT_TRUE(g.has_value()) << to_text(g.error());
    EXPECT_EQ((*g)[TensorId(0)].bytes, Bytes{std::int64_t{1} << 31}) << "a second at 2^31 bytes a second";
    EXPECT_TRUE(assumes(*g, "1 of 1 outputs have no size"));
}

TEST(Msr, ClassesWithoutDevicesAreLeftOut) {
    const auto only_cpu = msr(node(0), "", R"("maxSizePerFPGA": 1, "maxFPGAs": 0, "maxCPUs": 2,)");
    ASSERT_TRUE(only_cpu.has_value()) << to_text(only_cpu.error());
    ASSERT_EQ(only_cpu->given_costs()->classes.size(), 1u);
    EXPECT_EQ(only_cpu->given_costs()->classes[0].name, "cpu");
    EXPECT_NE(fault(msr(node(0), "", R"("maxSizePerFPGA": 1, "maxFPGAs": 0, "maxCPUs": 0,)")).find("no device"), std::string::npos);
}

TEST(Msr, NamesThatRepeatAreMadeUnique) {
    const auto g = msr(node(0, R"(, "name": "a")") + "," + node(1, R"(, "name": "a")") + "," + node(2), edge(0, 2) + "," + edge(1, 2));
    ASSERT_TRUE(g.has_value()) << to_text(g.error());
    EXPECT_EQ((*g)[OperatorId(0)].name, "a");
    EXPECT_EQ((*g)[OperatorId(1)].name, "a#1");
    EXPECT_EQ((*g)[OperatorId(2)].name, "node 2");
}

TEST(Msr, ComplaintsNameTheirLine) {
    EXPECT_EQ(fault(msr(node(0) + "," + node(0), "")), "2: node '0' is there twice");
    EXPECT_EQ(fault(msr(node(0), edge(0, 5))), "3: an edge names node '5', which is not there");
    EXPECT_EQ(fault(msr(node(0), edge(5, 0))), "3: an edge names node '5', which is not there");
    EXPECT_EQ(fault(msr(node(0) + "," + node(1) + "," + node(2), edge(0, 1, "1") + ",\n" + edge(0, 2, "2"))).substr(0, 19),
              "4: edges out of nod");
    EXPECT_EQ(fault(msr(node(0) + "," + node(1), edge(0, 1, "-1"))).substr(0, 15), "3: 'cost' is -1");
    EXPECT_EQ(fault(msr(node(0, R"(, "size": -1)"), "")).substr(0, 15), "2: 'size' is -1");
    EXPECT_EQ(fault(msr(node(0, R"(, "size": 1e19)"), "")).substr(0, 12), "2: 'size' is");
    EXPECT_EQ(fault(msr(node(0, R"(, "colour": 1)"), "")), "2: unknown key 'colour'");
    EXPECT_EQ(fault(msr(R"({"id": 0, "supportedOnFpga": 2, "cpuLatency": 1, "fpgaLatency": 1})", "")).substr(0, 2), "2:");
    EXPECT_EQ(fault(msr(R"({"id": 0, "supportedOnFpga": 1, "cpuLatency": NaN, "fpgaLatency": 1})", "")).substr(0, 2), "2:");
    EXPECT_EQ(fault(msr(R"({"supportedOnFpga": 1, "cpuLatency": 1, "fpgaLatency": 1})", "")), "2: missing key 'id'");
    EXPECT_EQ(fault(msr("", "")).substr(0, 23), "1: 'w' has no operators");
    EXPECT_NE(fault(msr(node(0) + "," + node(1), edge(0, 1) + "," + edge(1, 0))).find("2: the graph has a cycle of 2"), std::string::npos);
    EXPECT_EQ(fault(msr(node(0) + "," + node(1), edge(0, 1, "9.3e9"))).substr(0, 9), "3: 'cost'");
}

// --- pipedream -------------------------------------------------------------------------------------------------------

constexpr std::string_view kNumbers =
    "forward_compute_time=1.5, backward_compute_time=9.0, activation_size=[8.0; 4.0; 1.5], parameter_size=3.000";
Result<Graph> pipedream(std::string_view text) { return read_pipedream(text, "g.txt", "g"); }

TEST(Pipedream, ReadsNodesAndEdges) {
    const auto g =
        pipedream(std::format("node2 -- Conv2d(1, 2, kernel_size=(3, 3)) -- {0}\r\nnode1 -- Input0 -- {0} -- stage_id=3\n"
                              "\tnode1 -- node2\n\tnode1 -- node2\n\n",
                              kNumbers));
    ASSERT_TRUE(g.has_value()) << to_text(g.error());
    ASSERT_EQ(g->operator_count(), 2u);
    EXPECT_EQ(g->label(OperatorId(0)), "node1");
    EXPECT_EQ((*g)[OperatorId(1)].type, "Conv2d");
    ASSERT_EQ(g->predecessors(OperatorId(1)).size(), 1u);
    const TensorId sent = g->inputs(OperatorId(1))[0], result = g->outputs(OperatorId(1))[0];
    EXPECT_EQ((*g)[sent].bytes, Bytes{14}) << "each number of a list is rounded up";
    EXPECT_FALSE((*g)[sent].model_output);
    EXPECT_TRUE((*g)[result].model_output) << "what nobody reads leaves the model";
    EXPECT_EQ((*g)[g->parameters(OperatorId(0))[0]].bytes, Bytes{3});
    const GivenCosts& costs = *g->given_costs();
    ASSERT_EQ(costs.classes.size(), 1u);
    EXPECT_EQ(costs.classes[0].name, "gpu");
    EXPECT_EQ(costs.classes[0].count, 4);
    EXPECT_EQ(costs.classes[0].time[0], Duration{1'500'000'000});
    EXPECT_EQ(costs.classes[0].backward, std::vector(2, Duration{9'000'000'000}));
    EXPECT_EQ(costs.link, ByteRate{16'000'000'000});
    EXPECT_TRUE(assumes(*g, "4 devices"));
    EXPECT_TRUE(assumes(*g, "16 GB/s"));
}

TEST(Pipedream, TheDescriptionMayHoldTheSeparator) {
    const auto g = pipedream(std::format("a -- odd -- layer() -- {}\n", kNumbers));
    ASSERT_TRUE(g.has_value()) << to_text(g.error());
    EXPECT_EQ((*g)[OperatorId(0)].type, "odd");
}

TEST(Pipedream, ComplaintsNameTheirLine) {
    const std::string good = std::format("a -- A -- {}\n", kNumbers);
    EXPECT_EQ(fault(pipedream("")), "0: 'g' has no operators: there is nothing to plan");
    EXPECT_EQ(fault(pipedream("hello\n")), "1: a node line has 1 fields, 3 are needed");
    EXPECT_EQ(fault(pipedream(good + good)), "2: node 'a' is there twice");
    EXPECT_EQ(fault(pipedream("\ta -- b\n" + good)), "1: an edge names node 'b', which is not there");
    EXPECT_EQ(fault(pipedream(good + "\ta\n")), "2: an edge line has 1 fields, 2 are needed");
    EXPECT_EQ(fault(pipedream(good + "\ta -- a\n")), "1: 'a' reads its own output 'a'");
    EXPECT_EQ(fault(pipedream("a -- A -- forward_compute_time=1\n")), "1: missing key 'backward_compute_time'");
    const auto with = [&](std::string_view forward) {
        return fault(pipedream(
            std::format("a -- A -- forward_compute_time={}, backward_compute_time=1, activation_size=1, parameter_size=1\n", forward)));
    };
    EXPECT_EQ(with("1"), "read without complaint");
    for (const char* bad : {"-1", "nan", "inf", "1e300", "x", "", "1 2", "[1; -2]", "[1", "[9e9; 9e9]"})
        EXPECT_EQ(with(bad).substr(0, 26), "1: forward_compute_time is") << bad;
    EXPECT_EQ(fault(pipedream(std::format("a -- A -- {}, size=3\n", kNumbers))), "1: unknown key 'size'");
    EXPECT_NE(fault(pipedream(std::format("a -- \xff\xfe -- {}\n", kNumbers))).find("UTF-8"), std::string::npos);
}

// --- piper -----------------------------------------------------------------------------------------------------------

Result<Graph> piper(std::string_view nodes, std::string_view edges,
                    std::string_view head = R"("maxDevices": 10, "maxMemoryPerDevice": 8e10, "bandwidth": 2.5e10, "mbsInBatch": 4,)") {
    const auto document = json::parse(std::format("{{{}\n\"nodes\": [{}],\n\"edges\": [{}]}}", head, nodes, edges), "w.json");
    if (!document) return std::unexpected(document.error());
    EXPECT_EQ(detect_format(*document), JsonFormat::piper);
    return read_piper(*document, "w");
}
std::string piper_node(int id, std::string_view name = "layer") {
    return std::format(
        R"({{"id": {}, "name": "{}", "TMPCs": {{"2": [], "1": [{{"id": "vanilla", "timePerSample": 0.25, "parameterSize": 6.0, "memoryUsageA": 1,
        "memoryUsageB": 1, "syncTimeFw": {{}}, "syncTimeBw": {{}}}}, {{"id": "recomp", "timePerSample": 9, "parameterSize": 9}}]}}}})",
        id, name);
}

TEST(Piper, FirstConfigurationOfDegreeOne) {
    const auto bytes = [](int from, int to, std::string_view b) {
        return std::format(R"({{"sourceId": {}, "destId": {}, "communicationCost": {}}})", from, to, b);
    };
    const auto g = piper(piper_node(0) + "," + piper_node(1) + "," + piper_node(2) + "," + piper_node(3),
                         bytes(0, 1, "16") + "," + bytes(0, 2, "30") + "," + bytes(0, 3, "30"));
    ASSERT_TRUE(g.has_value()) << to_text(g.error());
    ASSERT_EQ(g->tensor_count(), 2u) << "two sizes are two outputs";
    EXPECT_EQ(g->consumers(TensorId(0)).size(), 1u);
    EXPECT_EQ(g->consumers(TensorId(1)).size(), 2u) << "as many bytes are one output";
    EXPECT_EQ((*g)[TensorId(1)].bytes, Bytes{30});
    EXPECT_EQ((*g)[ParameterId(0)].bytes, Bytes{6});
    const GivenCosts& costs = *g->given_costs();
    EXPECT_EQ(costs.classes[0].count, 10);
    EXPECT_EQ(costs.classes[0].memory, Bytes{80'000'000'000});
    EXPECT_EQ(costs.classes[0].time[0], Duration{250'000'000'000});
    EXPECT_EQ(costs.link, ByteRate{25'000'000'000});
    EXPECT_TRUE(costs.transfer.empty());
}

TEST(Piper, ComplaintsNameTheirLine) {
    EXPECT_EQ(fault(piper(piper_node(0) + "," + piper_node(0), "")).substr(0, 28), "3: node '0' is there twice");
    EXPECT_EQ(fault(piper(R"({"id": 0, "name": "a", "TMPCs": {"2": []}})", "")), "2: missing key '1'");
    EXPECT_EQ(fault(piper(R"({"id": 0, "name": "a", "TMPCs": {"1": []}})", "")), "2: a node has no configuration for degree 1");
    EXPECT_EQ(fault(piper(R"({"id": 0, "name": "a", "TMPCs": {"1": [{"timePerSample": -1, "parameterSize": 1}]}})", "")).substr(0, 24),
              "2: 'timePerSample' is -1");
    EXPECT_EQ(
        fault(piper(piper_node(0), "", R"("maxDevices": 0, "maxMemoryPerDevice": 8e10, "bandwidth": 1, "mbsInBatch": 4,)")).substr(0, 18),
        "1: maxDevices is 0");
    EXPECT_EQ(
        fault(piper(piper_node(0), "", R"("maxDevices": 1, "maxMemoryPerDevice": 8e10, "bandwidth": 0.5, "mbsInBatch": 4,)")).substr(0, 16),
        "1: the bandwidth");
}

TEST(Workloads, FormatsAreToldApart) {
    const auto format = [](std::string_view text) { return detect_format(json::parse(text, "").value()); };
    EXPECT_EQ(format(R"({"format": "sluice.graph/1"})"), JsonFormat::sluice_graph);
    EXPECT_EQ(format(R"({"maxFPGAs": 1})"), JsonFormat::msr);
    EXPECT_EQ(format(R"({"maxDevices": 1})"), JsonFormat::piper);
    EXPECT_EQ(format(R"({"nodes": []})"), JsonFormat::unknown);
    EXPECT_EQ(format("[1]"), JsonFormat::unknown);
}

TEST(FuzzSeeds, AreValidSoThatMutationsReachDeep) {
    const std::filesystem::path corpus = std::filesystem::path(SLUICE_SOURCE_DIR) / "fuzz/corpus";
    const auto document = [&](const char* file) { return json::parse_file(corpus / file).value(); };
    const auto ok = [](const Result<Graph>& graph) { return graph ? "" : to_text(graph.error()); };
    EXPECT_EQ(ok(read_graph(document("graph_json/small.json"))), "");
    EXPECT_EQ(ok(read_msr(document("workload_json/msr.json"), "w")), "");
    EXPECT_EQ(ok(read_piper(document("workload_json/piper.json"), "w")), "");
    EXPECT_EQ(ok(pipedream(read_file(corpus / "pipedream/small.txt").value())), "");
}

// --- the published files ---------------------------------------------------------------------------------------------

struct Published {
    const char* path;
    std::size_t nodes, edges;
};

const Published kPublished[] = {{"msr/LayerGraphs/bert24_inference.json", 32, 55},
                                {"msr/LayerGraphs/bert24_training.json", 64, 110},
                                {"msr/LayerGraphs/gnmt_inference.json", 96, 122},
                                {"msr/LayerGraphs/gnmt_training.json", 192, 244},
                                {"msr/LayerGraphs/inceptionv3_inference.json", 326, 363},
                                {"msr/LayerGraphs/inceptionv3_training.json", 652, 726},
                                {"msr/LayerGraphs/resnet50_inference.json", 177, 193},
                                {"msr/LayerGraphs/resnet50_training.json", 354, 386},
                                {"msr/OperatorGraphs/bert_l-3_inference.json", 235, 250},
                                {"msr/OperatorGraphs/bert_l-3_training.json", 600, 817},
                                {"msr/OperatorGraphs/bert_l-6_inference.json", 418, 448},
                                {"msr/OperatorGraphs/bert_l-6_training.json", 1071, 1462},
                                {"msr/OperatorGraphs/bert_l-12_inference.json", 783, 843},
                                {"msr/OperatorGraphs/bert_L-12_training.json", 2012, 2751},
                                {"msr/OperatorGraphs/resnet50_inference.json", 604, 619},
                                {"msr/OperatorGraphs/resnet50_training.json", 1243, 1806},
                                {"pipedream/alexnet.graph.txt", 23, 23},
                                {"pipedream/densenet121.graph.txt", 429, 487},
                                {"pipedream/gnmt.graph.txt", 48, 58},
                                {"pipedream/gnmt_large.graph.txt", 96, 122},
                                {"pipedream/inception_v3.graph.txt", 326, 362},
                                {"pipedream/nasnetalarge.graph.txt", 1251, 1468},
                                {"pipedream/resnet50.graph.txt", 177, 193},
                                {"pipedream/resnext50.graph.txt", 177, 193},
                                {"pipedream/vgg16.graph.txt", 41, 41},
                                {"piper/bert32a100.json", 37, 67},
                                {"piper/gnmt.json", 78, 104},
                                {"piper/resnet.json", 177, 193}};

class PublishedWorkload : public testing::TestWithParam<Published> {};

TEST_P(PublishedWorkload, HasTheCountsOfItsReadme) {
    const std::filesystem::path folder = std::filesystem::path(SLUICE_SOURCE_DIR) / "../shared/workloads";
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent: the published workloads cannot be read";
    const std::filesystem::path path = folder / GetParam().path;
    Result<Graph> graph = fail(input_error("not read"));
    if (path.extension() == ".txt") {
        graph = read_pipedream(read_file(path).value(), path.string(), path.stem().string());
    } else {
        const auto document = json::parse_file(path);
        ASSERT_TRUE(document.has_value()) << to_text(document.error());
        const bool is_msr = std::string_view(GetParam().path).starts_with("msr");
        ASSERT_EQ(detect_format(*document), is_msr ? JsonFormat::msr : JsonFormat::piper);
        graph = is_msr ? read_msr(*document, path.stem().string()) : read_piper(*document, path.stem().string());
    }
    ASSERT_TRUE(graph.has_value()) << to_text(graph.error());
    const Summary summary = summarise(*graph);
    EXPECT_EQ(summary.operators, GetParam().nodes);
    EXPECT_EQ(summary.edges, GetParam().edges);
    for (std::size_t v = 0; v < graph->operator_count(); ++v)
        for (OperatorId next : graph->successors(OperatorId(v))) ASSERT_LT(v, next.index());

    const auto again = read_graph(json::parse(to_json_text(*graph), "again").value());
    ASSERT_TRUE(again.has_value()) << to_text(again.error());
    EXPECT_EQ(again->fingerprint(), graph->fingerprint());
}

INSTANTIATE_TEST_SUITE_P(All, PublishedWorkload, testing::ValuesIn(kPublished), [](const auto& param_info) {
    std::string name = param_info.param.path;
    std::ranges::replace_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
    return name;
});

TEST(PublishedFacts, OfTwoMsrFiles) {
    const std::filesystem::path folder = std::filesystem::path(SLUICE_SOURCE_DIR) / "../shared/workloads/msr";
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent: the published workloads cannot be read";
    const auto layers = read_msr(json::parse_file(folder / "LayerGraphs/resnet50_inference.json").value(), "resnet50");
    ASSERT_TRUE(layers.has_value());
    EXPECT_EQ(layers->given_costs()->classes[0].memory, Bytes{17'185'374'208});
    EXPECT_EQ(layers->given_costs()->classes[0].count, 6);
    const auto found = std::ranges::find(layers->operators(), "node76", &Operator::name);
    ASSERT_NE(found, layers->operators().end());
    const OperatorId node76(static_cast<std::size_t>(found - layers->operators().begin()));
    EXPECT_EQ(layers->given_costs()->classes[0].time[node76.index()], Duration{1'318'000'000});
    EXPECT_EQ(layers->given_costs()->classes[1].time[node76.index()], Duration{13'180'000'000});

    // Counted apart from the file: 63 forward and 76 backward colour classes hold more than one node.
    const auto training = read_msr(json::parse_file(folder / "OperatorGraphs/bert_l-3_training.json").value(), "bert");
    ASSERT_TRUE(training.has_value());
    std::vector<std::size_t> members;
    for (const Operator& op : training->operators())
        if (op.colour) {
            members.resize(std::max<std::size_t>(members.size(), *op.colour + 1));
            ++members[*op.colour];
        }
    EXPECT_EQ(members.size(), 63u + 76u);
    EXPECT_GE(*std::ranges::min_element(members), 2u);
}

}  // namespace
}  // namespace sluice::graph
