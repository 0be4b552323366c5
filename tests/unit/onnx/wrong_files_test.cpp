// Files that are no models, and models that cannot be: each is told apart, none crashes.
#include <filesystem>
#include <fstream>

#include "model_text.hpp"
#include "sluice/onnx/load_model.hpp"

namespace sluice::onnx {
namespace {

using ::testing::TempDir;

const char* const kConv = "g (float[1, 3, 8, 8] x, float[4, 3, 3, 3] w) => (float[1, 4, 6, 6] y) { y = Conv(x, w) }";

TEST(WrongFiles, AreToldApart) {
    EXPECT_TRUE(error_of(import_bytes("", "m.onnx")).contains("'m.onnx' is empty"));
    EXPECT_TRUE(error_of(import_bytes("# A readme\n\nabout models\n", "m.onnx")).contains("is a text file"));
    EXPECT_TRUE(error_of(import_bytes(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16), "m.png")).contains("is not an ONNX model"));
    EXPECT_TRUE(error_of(import_file("/nonexistent/m.onnx")).contains("No such file"));
    EXPECT_TRUE(error_of(import_file(TempDir())).contains("is a directory"));
    ::onnx::TensorProto tensor;  // a valid protobuf of another kind
    tensor.add_dims(2);
    tensor.set_data_type(1);
    EXPECT_TRUE(error_of(import_bytes(tensor.SerializeAsString(), "t.pb")).contains("not an ONNX model"));
}

TEST(WrongFiles, EveryTruncationIsADiagnostic) {
    auto model = parse_text(kConv);
    model.mutable_opset_import()->DeleteSubrange(1, 2);  // else a cut after the first one leaves a whole model
    const std::string bytes = model.SerializeAsString();
    ASSERT_TRUE(import_bytes(bytes, "m.onnx"));
    std::size_t damaged = 0;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto imported = import_bytes(std::string_view(bytes).substr(0, size), "m.onnx");
        ASSERT_FALSE(imported) << size;
        damaged += imported.error().message.contains("truncated");
    }
    EXPECT_GT(damaged, bytes.size() / 2);
}

TEST(WrongFiles, DamagedGzip) {
    const std::string path = TempDir() + "sluice_damaged.onnx.gz";
    std::ofstream(path, std::ios::binary) << std::string("\x1f\x8b\x08\0\0\0\0\0\0\3garbage", 17);
    EXPECT_TRUE(error_of(import_file(path)).contains("gzip"));
    std::filesystem::remove(path);
}

TEST(WrongFiles, OpsetRange) {
    for (int opset = kOldestOpset; opset <= kNewestOpset; ++opset) {
        EXPECT_TRUE(import_text("g (float[2] x) => (y) { y = Relu(x) }", {}, opset)) << opset;
    }
    EXPECT_TRUE(error_of(import_text("g (float[2] x) => (y) { y = Relu(x) }", {}, 8)).contains("opset 8; opsets 9 to 21 are read"));
    EXPECT_TRUE(error_of(import_text("g (float[2] x) => (y) { y = Relu(x) }", {}, 22)).contains("opset 22"));
    auto model = parse_text("g (float[2] x) => (y) { y = Relu(x) }");
    model.mutable_opset_import()->DeleteSubrange(0, 1);
    EXPECT_TRUE(error_of(import_proto(model)).contains("no opset"));
    model.clear_opset_import();
    EXPECT_TRUE(error_of(import_proto(model)).contains("states no opset"));
}

TEST(WrongFiles, CyclesNameTheirTensors) {
    const std::string text = error_of(import_text(R"(g (float[2] x) => (y) {
        a = Add(x, c)
        b = Relu(a)
        c = Relu(b)
        y = Relu(c)
    })"));
    EXPECT_TRUE(text.contains("cycle through 3 operators")) << text;
    for (const char* name : {"'a'", "'b'", "'c'"}) EXPECT_TRUE(text.contains(name)) << text;
    EXPECT_FALSE(text.contains("'y'")) << text;
    EXPECT_TRUE(error_of(import_text("g (float[2] x) => (y) { y = Add(x, y) }")).contains("cycle through 1 operators"));
}

TEST(WrongFiles, NamesThatDoNotFit) {
    EXPECT_TRUE(error_of(import_text("g (float[2] x) => (y) { y = Relu(x)\n y = Neg(x) }")).contains("tensor 'y' has two makers"));
    EXPECT_TRUE(
        error_of(import_text("g (float[2] x) => (y) { x = Relu(x)\n y = Neg(x) }")).contains("tensor 'x' has two makers: a model input"));
    EXPECT_TRUE(error_of(import_text("g (float[2] x) => (y) { y = Relu(z) }")).contains("reads 'z', which nothing makes"));
    EXPECT_TRUE(error_of(import_text("g (float[2] x) => (z) { y = Relu(x) }")).contains("output 'z' is made by nothing"));
    EXPECT_TRUE(error_of(import_text("g (float[2] x, float[2] x) => (y) { y = Relu(x) }")).contains("two model inputs are named 'x'"));
    auto model = parse_text("g (float[2] x) => (y) <float[2] w = {1, 2}> { y = Add(x, w) }");
    *model.mutable_graph()->add_initializer() = model.graph().initializer(0);
    EXPECT_TRUE(error_of(import_proto(model)).contains("two initializers are named 'w'"));
    model.mutable_graph()->mutable_initializer(1)->clear_name();
    EXPECT_TRUE(error_of(import_proto(model)).contains("an initializer has no name"));
}

TEST(WrongFiles, NodeNamesMayRepeatOrBeEmpty) {
    auto model = parse_text("g (float[2] x) => (y) { a = Relu(x)\n b = Relu(a)\n y = Relu(b) }");
    model.mutable_graph()->mutable_node(0)->set_name("n/1:0");
    model.mutable_graph()->mutable_node(1)->set_name("n/1:0");
    const auto imported = import_proto(model);
    ASSERT_TRUE(imported) << to_text(imported.error());
    ASSERT_EQ(imported->graph.operator_count(), 3u);
    EXPECT_EQ(imported->graph.operators()[1].name, "n/1:0");
    EXPECT_EQ(imported->graph.operators()[2].name, "");
}

TEST(WrongFiles, UnsortedNodesAreSorted) {
    const auto imported = import_good("g (float[2] x) => (y) { y = Relu(b)\n b = Neg(a)\n a = Abs(x) }");
    ASSERT_EQ(imported.graph.operator_count(), 3u);
    EXPECT_EQ(imported.graph.operators()[0].type, "Abs");
    EXPECT_EQ(imported.graph.operators()[0].source, 2);
    EXPECT_EQ(imported.graph.operators()[2].source, 0);
}

TEST(WrongFiles, NothingToPlan) {
    EXPECT_TRUE(error_of(import_text("g (float[2] x) => (x) { }")).contains("no operators"));
    EXPECT_TRUE(error_of(import_text("g (float[2] x) => (y) { y = Identity(x) }")).contains("nothing to plan"));
    EXPECT_TRUE(error_of(import_text("g () => (y) { y = Constant <value_float = 1.0> () }")).contains("nothing to plan"));
}

TEST(WrongFiles, SizesThatCannotBe) {
    EXPECT_TRUE(error_of(import_text("g (float[2, -3] x) => (y) { y = Relu(x) }")).contains("'x' has the size -3 in dimension 1"));
    const std::string huge = "g (float[4611686018427387904, 4] x) => (y) { y = Relu(x) }";
    EXPECT_TRUE(error_of(import_text(huge)).contains("2^63"));
    EXPECT_TRUE(error_of(import_text("g (int8[9223372036854775807] x) => (y) { z = Cast <to = 1> (x)\n y = Relu(z) }")).contains("2^63"));
    for (const std::int64_t size : {std::int64_t{-1}, std::int64_t{1} << 62, std::numeric_limits<std::int64_t>::max()}) {
        auto model = parse_text("g (float[2] x) => (y) <float[2] w = {1, 2}> { y = Add(x, w) }");
        auto& weight = *model.mutable_graph()->mutable_initializer(0);
        weight.set_dims(0, size);
        EXPECT_TRUE(error_of(import_proto(model)).contains("initializer 'w'")) << size;
    }
    auto model = parse_text("g (float[2] x) => (y) <float[2] w = {1, 2}> { y = Add(x, w) }");
    model.mutable_graph()->mutable_initializer(0)->set_dims(0, 3);
    EXPECT_TRUE(error_of(import_proto(model)).contains("needs 3 elements, its data has 2"));
    model.mutable_graph()->mutable_initializer(0)->clear_float_data();
    model.mutable_graph()->mutable_initializer(0)->set_raw_data("12345");
    EXPECT_TRUE(error_of(import_proto(model)).contains("needs 12 bytes, its data has 5"));
    model.mutable_graph()->mutable_initializer(0)->set_data_type(99);
    EXPECT_TRUE(error_of(import_proto(model)).contains("data type 99"));
}

// --- external data ----------------------------------------------------------------------------------------------------

void make_external(::onnx::TensorProto& tensor, const std::string& location, const std::string& length = {}) {
    tensor.clear_float_data();
    tensor.clear_raw_data();
    tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
    const auto add = [&](const char* key, const std::string& value) {
        auto& entry = *tensor.add_external_data();
        entry.set_key(key);
        entry.set_value(value);
    };
    if (!location.empty()) add("location", location);
    if (!length.empty()) add("length", length);
}

::onnx::ModelProto with_weight(const std::string& location, const std::string& length = {}) {
    auto model = parse_text("g (float[2] x) => (y) <float[2] w = {1, 2}> { y = Add(x, w) }");
    make_external(*model.mutable_graph()->mutable_initializer(0), location, length);
    return model;
}

TEST(ExternalData, StaysUnloadedInsideTheFolder) {
    for (const char* path : {"weights.bin", "sub/weights.bin", "./w..bin", "..w", "a/b../c"}) {
        const auto imported = import_proto(with_weight(path, "8"));
        ASSERT_TRUE(imported) << path << to_text(imported.error());
        EXPECT_EQ(imported->graph.parameters()[0].bytes, Bytes{8});
    }
}

TEST(ExternalData, MayNotLeaveTheFolder) {
    for (const char* path : {"/etc/passwd", "../w", "a/../../w", "a\\..\\w", "..", "\\\\host\\w", "C:\\w", "a/.."}) {
        EXPECT_TRUE(error_of(import_proto(with_weight(path))).contains("outside the model's folder")) << path;
    }
    EXPECT_TRUE(error_of(import_proto(with_weight(""))).contains("no location"));
    EXPECT_TRUE(error_of(import_proto(with_weight("w", "9"))).contains("needs 8 bytes, its external data has 9"));
    EXPECT_TRUE(error_of(import_proto(with_weight("w", "-8"))).contains("not a size"));
    EXPECT_TRUE(error_of(import_proto(with_weight("w", "8x"))).contains("not a size"));
}

TEST(ExternalData, IsCheckedInBodiesFunctionsAttributesAndTraining) {
    const auto escape = [](::onnx::TensorProto& tensor) {
        tensor.add_dims(2);
        tensor.set_data_type(::onnx::TensorProto::FLOAT);
        tensor.set_name("hidden");
        make_external(tensor, "../hidden");
    };
    const std::string plain = "g (float[2] x) => (y) { y = Relu(x) }";
    auto attribute = parse_text(plain);
    auto& constant = *attribute.mutable_graph()->add_node();
    constant.set_op_type("Constant");
    constant.add_output("c");
    auto& value = *constant.add_attribute();
    value.set_name("value");
    value.set_type(::onnx::AttributeProto::TENSOR);
    escape(*value.mutable_t());
    EXPECT_TRUE(error_of(import_proto(attribute)).contains("'../hidden'"));

    auto body = parse_text(plain);
    auto& branch = *body.mutable_graph()->add_node()->add_attribute();
    branch.set_name("then_branch");
    escape(*branch.mutable_g()->add_initializer());
    EXPECT_TRUE(error_of(import_proto(body)).contains("'../hidden'"));

    auto function = parse_text(plain);
    auto& inner = *function.add_functions();
    inner.set_name("f");
    inner.set_domain("com.acme");
    auto& node = *inner.add_node();
    node.set_op_type("Constant");
    auto& hidden = *node.add_attribute();
    hidden.set_name("value");
    escape(*hidden.mutable_t());
    EXPECT_TRUE(error_of(import_proto(function)).contains("'../hidden'"));

    auto training = parse_text(plain);
    escape(*training.add_training_info()->mutable_initialization()->add_initializer());
    EXPECT_TRUE(error_of(import_proto(training)).contains("'../hidden'"));

    auto sparse = parse_text(plain);
    escape(*sparse.mutable_graph()->add_sparse_initializer()->mutable_values());
    EXPECT_TRUE(error_of(import_proto(sparse)).contains("'../hidden'"));
}

// --- functions --------------------------------------------------------------------------------------------------------

TEST(Functions, AreInlined) {
    auto imported = import_text("g (float[2, 8] x) => (y) { a = com.acme.twice(x)\n y = com.acme.twice(a) }", {}, 17,
                                "<opset_import: [\"\" : 17], domain: \"com.acme\"> twice (x) => (y) { t = Relu(x)\n y = Neg(t) }");
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(imported->graph.operator_count(), 4u);
    EXPECT_EQ(imported->report.nodes, 4u);
    EXPECT_EQ(imported->report.inlined_functions, 1u);
    for (const auto& tensor : imported->graph.tensors()) EXPECT_EQ(tensor.shape, (Shape{2, 8})) << tensor.name;
}

TEST(Functions, ThatCallThemselvesAreRefused) {
    const std::string graph = "g (float[2] x) => (y) { y = com.acme.f(x) }";
    EXPECT_TRUE(
        error_of(import_text(graph, {}, 17, "<opset_import: [\"com.acme\" : 1], domain: \"com.acme\"> f (x) => (y) { y = com.acme.f(x) }"))
            .contains("'f' calls itself"));
    EXPECT_TRUE(error_of(import_text(graph, {}, 17,
                                     "<opset_import: [\"com.acme\" : 1], domain: \"com.acme\"> f (x) => (y) { y = com.acme.g(x) }"
                                     "<opset_import: [\"com.acme\" : 1], domain: \"com.acme\"> g (x) => (y) { y = com.acme.f(x) }"))
                    .contains("calls itself"));
}

TEST(Functions, BombsAreRefusedBeforeTheyAreExpanded) {
    // 30 functions, each calling the next one four times: 4^30 operators.
    auto model = parse_text("g (float[2] x) => (y) { y = com.acme.f0(x) }");
    for (int i = 0; i < 30; ++i) {
        auto& function = *model.add_functions();
        function.set_name(std::format("f{}", i));
        function.set_domain("com.acme");
        function.add_input("t0");
        function.add_output("t4");
        for (const char* domain : {"", "com.acme"}) {
            auto& import = *function.add_opset_import();
            import.set_domain(domain);
            import.set_version(*domain == 0 ? 17 : 1);
        }
        for (int k = 0; k < 4; ++k) {
            auto& node = *function.add_node();
            node.set_op_type(i == 29 ? "Relu" : std::format("f{}", i + 1));
            if (i < 29) node.set_domain("com.acme");
            node.add_input(std::format("t{}", k));
            node.add_output(std::format("t{}", k + 1));
        }
    }
    EXPECT_TRUE(error_of(import_proto(model)).contains("more than 4000000 operators"));
}

}  // namespace
}  // namespace sluice::onnx
