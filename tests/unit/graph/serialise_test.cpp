#include "sluice/graph/serialise.hpp"

#include <gtest/gtest.h>

#include <array>
#include <format>

namespace sluice::graph {
namespace {

Result<Graph> read(std::string_view text) {
    const auto document = json::parse(text, "g.json");
    if (!document) return std::unexpected(document.error());
    return read_graph(*document);
}

/// The diagnostic of a text that must not be read, as "line: message".
std::string fault(std::string_view text) {
    const auto graph = read(text);
    if (graph) return "read without complaint";
    EXPECT_EQ(graph.error().where.file, "g.json") << graph.error().message;
    return std::format("{}: {}", graph.error().where.line, graph.error().message);
}

void expect_same(const Graph& a, const Graph& b) {
    EXPECT_EQ(a.name(), b.name());
    EXPECT_EQ(a.fingerprint(), b.fingerprint());
    EXPECT_TRUE(std::ranges::equal(a.operators(), b.operators()));
    EXPECT_TRUE(std::ranges::equal(a.tensors(), b.tensors()));
    EXPECT_TRUE(std::ranges::equal(a.parameters(), b.parameters()));
    EXPECT_TRUE(std::ranges::equal(a.assumptions(), b.assumptions()));
    EXPECT_EQ(a.given_costs(), b.given_costs());
    for (std::size_t v = 0; v < a.operator_count(); ++v) {
        EXPECT_TRUE(std::ranges::equal(a.inputs(OperatorId(v)), b.inputs(OperatorId(v))));
        EXPECT_TRUE(std::ranges::equal(a.outputs(OperatorId(v)), b.outputs(OperatorId(v))));
        EXPECT_TRUE(std::ranges::equal(a.parameters(OperatorId(v)), b.parameters(OperatorId(v))));
    }
}

Graph with_everything() {
    GraphBuilder builder("every \"field\"");
    const TensorId x = builder.add_tensor({.name = "x",
                                           .type = DataType::bf16,
                                           .shape = {2, 3},
                                           .shape_known = true,
                                           .shape_assumed = true,
                                           .bytes = {12},
                                           .model_output = false});
    const TensorId scalar = builder.add_tensor({.name = "scalar",
                                                .type = DataType::i64,
                                                .shape = {},
                                                .shape_known = true,
                                                .shape_assumed = false,
                                                .bytes = {8},
                                                .model_output = false});
    const TensorId part = builder.add_tensor({.name = "part",
                                              .type = DataType::f32,
                                              .shape = {-1, 7},
                                              .shape_known = false,
                                              .shape_assumed = false,
                                              .bytes = {28},
                                              .model_output = false});
    const TensorId y = builder.add_tensor({.name = "ÿ/0:1",
                                           .type = DataType::text,
                                           .shape = {},
                                           .shape_known = false,
                                           .shape_assumed = false,
                                           .bytes = {(std::int64_t{1} << 62) + 1},
                                           .model_output = true});
    const ParameterId w = builder.add_parameter({.name = "w", .type = DataType::i4, .shape = {3, 5}, .bytes = {8}});
    Operator a;
    a.name = "a";
    a.type = "MatMul";
    a.features = {.operator_class = OperatorClass::matrix,
                  .compute_type = DataType::f16,
                  .flops = 1.0 / 3,
                  .rows = 2,
                  .read = {1},
                  .written = {2},
                  .parameters_read = {3},
                  .input_gradient_flops = 1e300,
                  .weight_gradient_flops = 5e-324,
                  .kept_for_backward = {4}};
    a.source = 17;
    a.colour = 4'294'967'295;
    Operator b;
    b.replicated = true;
    builder.add_operator(a, std::array{x, scalar}, std::array{part}, std::array{w});
    builder.add_operator(b, std::array{part}, std::array{y}, std::array{w});
    builder.set_given_costs({.classes = {{.name = "fpga",
                                          .count = 6,
                                          .memory = Bytes{99},
                                          .time = {Duration{5}, std::nullopt},
                                          .backward = {Duration{7}, Duration{0}}},
                                         {.name = "cpu", .count = 1, .memory = {}, .time = {Duration{50}, Duration{0}}}},
                             .transfer = {Duration{1}, Duration{2}, Duration{3}, Duration{std::int64_t{1} << 60}},
                             .link = ByteRate{16'000'000'000}});
    builder.add_assumption("dimension 'batch' = 1");
    return std::move(builder).build().value();
}

TEST(GraphFile, EveryFieldSurvives) {
    const Graph graph = with_everything();
    const std::string text = to_json_text(graph);
    const auto again = read(text);
    ASSERT_TRUE(again.has_value()) << to_text(again.error());
    expect_same(graph, *again);
    EXPECT_EQ(to_json_text(*again), text);
}

TEST(GraphFile, HandWrittenInAnyOrder) {
    const auto graph = read(R"({
      "format": "sluice.graph/1", "name": "tiny",
      "operators": [
        {"type": "Relu", "inputs": ["t"], "outputs": ["y"]},
        {"name": "fc", "type": "Gemm", "class": "matrix", "inputs": ["x"], "outputs": ["t"], "parameters": ["w"]}
      ],
      "tensors": [{"name": "x", "bytes": 4}, {"name": "t", "bytes": 4, "shape": [1]}, {"name": "y", "bytes": 4, "model_output": true}],
      "parameters": [{"name": "w", "bytes": 16, "shape": [2, 2]}]
    })");
    ASSERT_TRUE(graph.has_value()) << to_text(graph.error());
    EXPECT_EQ(graph->label(OperatorId(0)), "fc");
    EXPECT_EQ((*graph)[OperatorId(0)].features.operator_class, OperatorClass::matrix);
    EXPECT_FALSE((*graph)[TensorId(0)].shape_known);
    EXPECT_TRUE((*graph)[TensorId(1)].shape_known);
    EXPECT_FALSE(graph->given_costs().has_value());
}

/// A graph file of x -> f -> y with one line for each of the three lists and `extra` at line 2.
std::string file(std::string_view tensors, std::string_view parameters, std::string_view operators, std::string_view extra = "") {
    return std::format(
        "{{\"format\": \"sluice.graph/1\", \"name\": \"g\",\n{}\n\"tensors\": [{}],\n\"parameters\": [{}],\n\"operators\": [{}]}}", extra,
        tensors, parameters, operators);
}
constexpr std::string_view kX = R"({"name": "x", "bytes": 1})";
constexpr std::string_view kF = R"({"name": "f", "inputs": ["x"]})";

TEST(GraphFile, ComplaintsNameTheirLine) {
    EXPECT_EQ(fault(file(kX, "", kF)), "read without complaint");
    EXPECT_EQ(fault(file(kX, "", kF, R"("tensor": 3,)")), "2: unknown key 'tensor'");
    EXPECT_EQ(fault(file(R"({"name": "x", "byte": 1})", "", kF)), "3: unknown key 'byte'");
    EXPECT_EQ(fault(file(R"({"name": "x"})", "", kF)), "3: missing key 'bytes'");
    EXPECT_EQ(fault(file(R"({"name": "x", "bytes": -1})", "", kF)).substr(0, 5), "3: -1");
    EXPECT_EQ(fault(file(R"({"name": "x", "bytes": 9223372036854775808})", "", kF)).substr(0, 2), "3:");
    EXPECT_EQ(fault(file(R"({"name": "x", "bytes": 1.5})", "", kF)).substr(0, 2), "3:");
    EXPECT_EQ(fault(file(R"({"name": "", "bytes": 1})", "", kF)).substr(0, 18), "3: a name is empty");
    EXPECT_EQ(fault(file(std::format("{0}, {0}", kX), "", kF)), "3: the name 'x' is there twice");
    EXPECT_EQ(fault(file(R"({"name": "x", "bytes": 1, "shape": [-1]})", "", kF)), "3: dimension -1 is negative");
    EXPECT_EQ(fault(file(R"({"name": "x", "bytes": 1, "type": "f33"})", "", kF)), "3: 'f33' is no data type");
    EXPECT_EQ(fault(file(R"({"name": "x", "bytes": 1, "transfer_ps": 1})", "", kF)).substr(0, 2), "3:");
    EXPECT_EQ(fault(file(kX, R"({"name": "w", "bytes": 1}, {"name": "w", "bytes": 1})", kF)), "4: the name 'w' is there twice");
    EXPECT_EQ(fault(file(kX, "", R"({"name": "f", "inputs": ["z"]})")), "5: no tensor is named 'z'");
    EXPECT_EQ(fault(file(kX, "", R"({"name": "f", "parameters": ["x"]})")), "5: no parameter is named 'x'");
    EXPECT_EQ(fault(file(kX, "", R"({"class": "matrx"})")), "5: 'matrx' is no operator class");
    EXPECT_EQ(fault(file(kX, "", R"({"features": {"flops": -1}})")).substr(0, 11), "5: flops is");
    EXPECT_EQ(fault(file(kX, "", R"({"colour": 4294967296})")), "5: colour 4294967296 is beyond 2^32 - 1");
    EXPECT_EQ(fault(file(kX, "", R"({"time_ps": {"gpu": 1}})")), "5: no device class is named 'gpu'");
    EXPECT_EQ(fault(file(kX, "", "")), "1: 'g' has no operators: there is nothing to plan");
    EXPECT_EQ(fault(file(kX, "", R"({"name": "f", "outputs": ["x"]},
                                    {"name": "g", "outputs": ["x"]})")),
              "6: tensor 'x' has two producers");
    EXPECT_EQ(fault(file(kX, "", R"({"name": "g"},
                                    {"name": "f", "inputs": ["x"], "outputs": ["x"]})")),
              "6: 'f' reads its own output 'x'");
    const std::string_view half = R"({"name": "x", "bytes": 9223372036854775807}, {"name": "y", "bytes": 1})";
    EXPECT_NE(fault(file(half, "", kF)).find("2^63"), std::string::npos);
}

TEST(GraphFile, GivenCostsAreCheckedToo) {
    const auto costs = [](std::string_view devices, std::string_view rest = "") {
        return std::format("\"given_costs\": {{\"devices\": [{}]{}}},", devices, rest);
    };
    constexpr std::string_view kGpu = R"({"name": "gpu", "count": 2})";
    EXPECT_EQ(fault(file(kX, "", R"({"time_ps": {"gpu": 1}})", costs(kGpu))), "read without complaint");
    EXPECT_EQ(fault(file(kX, "", kF, costs(std::format("{0}, {0}", kGpu)))), "2: the name 'gpu' is there twice");
    EXPECT_EQ(fault(file(kX, "", kF, costs(R"({"name": "gpu", "count": -2})"))).substr(0, 5), "2: -2");
    EXPECT_EQ(fault(file(kX, "", kF, costs(kGpu, R"(, "link_bytes_per_second": 0)"))), "2: a link needs a rate above 0");
    EXPECT_EQ(fault(file(kX, "", R"({"time_ps": {"gpu": -1}})", costs(kGpu))).substr(0, 5), "5: -1");
    EXPECT_EQ(fault(file(kX, "", R"({"backward_ps": {"gpu": 1}})", costs(kGpu))), "read without complaint");
    EXPECT_EQ(fault(file(kX, "", R"({"backward_ps": {"tpu": 1}})", costs(kGpu))), "5: no device class is named 'tpu'");
    constexpr std::string_view kSome = "'backward_ps' is given for some operators of 'gpu' only: give it for all or for none";
    EXPECT_EQ(fault(file(kX, "", R"({"backward_ps": {"gpu": 1}},
                                    {"time_ps": {"gpu": 1}})",
                         costs(kGpu))),
              std::format("6: {}", kSome));
    EXPECT_EQ(fault(file(kX, "", R"({"time_ps": {"gpu": 1}},
                                    {"backward_ps": {"gpu": 1}})",
                         costs(kGpu))),
              std::format("6: {}", kSome));
    EXPECT_EQ(fault(file(R"({"name": "x", "bytes": 1, "transfer_ps": 1},
                            {"name": "y", "bytes": 1})",
                         "", kF, costs(kGpu)))
                  .substr(0, 2),
              "4:");
    EXPECT_EQ(fault(file(R"({"name": "x", "bytes": 1},
                            {"name": "y", "bytes": 1, "transfer_ps": 1})",
                         "", kF, costs(kGpu)))
                  .substr(0, 2),
              "4:");
    const auto unsupported = read(file(kX, "", kF, costs(kGpu)));
    ASSERT_TRUE(unsupported.has_value());
    EXPECT_FALSE(unsupported->given_costs()->classes[0].time.at(0).has_value()) << "a class that is not named cannot run the operator";
}

TEST(GraphFile, OtherFilesAreRefused) {
    EXPECT_NE(fault(R"({"format": "sluice.graph/2"})").find("sluice.graph/1"), std::string::npos);
    EXPECT_NE(fault(R"({"format": "sluice.plan/1"})").find("sluice.graph/1"), std::string::npos);
    EXPECT_NE(fault(R"({"name": "g"})").find("missing key 'format'"), std::string::npos);
    EXPECT_NE(fault("[]").find("expected an object"), std::string::npos);
    EXPECT_NE(fault(R"({"format": "sluice.graph/1", "name": "g"})").find("missing key 'tensors'"), std::string::npos);
    EXPECT_NE(fault(R"({"format": "sluice.graph/1", "name": "g", "tensors": {}})").find("expected an array"), std::string::npos);
    EXPECT_NE(fault(std::string(10'000'000, '[')).find("nested"), std::string::npos);
    std::string deep = R"({"format": "sluice.graph/1", "name": )";
    for (int i = 0; i < 1'000'000; ++i) deep += R"({"a":)";
    EXPECT_NE(fault(deep).find("nested"), std::string::npos);
}

}  // namespace
}  // namespace sluice::graph
