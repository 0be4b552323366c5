// Open sizes: bound by name or place, assumed, bounded by rule, or named in a Diagnostic.
#include "model_text.hpp"

namespace sluice::onnx {
namespace {

const std::string kBatch = "g (float[batch, 8] x, float[batch, seq, 4] z) => (y, v) { y = Relu(x)\n v = Neg(z) }";

TEST(OpenSizes, AreNamedWithTheirCure) {
    const std::string text = error_of(import_text(kBatch));
    EXPECT_TRUE(text.contains("4 tensors have sizes that are not known")) << text;
    EXPECT_TRUE(text.contains("'x' [batch, 8]")) << text;
    EXPECT_TRUE(text.contains("the open dimensions 'batch', 'seq'")) << text;
    EXPECT_TRUE(text.contains("--dim batch=1")) << text;
    EXPECT_TRUE(text.contains("--assume-size")) << text;
}

TEST(OpenSizes, AreBoundByName) {
    const auto imported = import_good(kBatch, {.dimensions = {{"batch", 3}, {"seq", 5}}, .assume_size = {}});
    EXPECT_EQ(shape_of(imported.graph, "y"), (Shape{3, 8}));
    EXPECT_EQ(shape_of(imported.graph, "v"), (Shape{3, 5, 4}));
    EXPECT_TRUE(find_tensor(imported.graph, "y")->shape_assumed);
    ASSERT_EQ(imported.graph.assumptions().size(), 2u);
    EXPECT_EQ(imported.graph.assumptions()[0], "dimension 'batch' = 3 (--dim)");
    EXPECT_EQ(imported.report.bound_dimensions[1], (std::pair<std::string, std::string>{"seq", "5 (--dim)"}));
    EXPECT_EQ(imported.report.shapes_assumed, 2u);
}

TEST(OpenSizes, AreBoundByPlace) {
    const auto with_name = [](const std::string& name, std::int64_t size) {
        return ImportOptions{.dimensions = {{name, size}}, .assume_size = {}};
    };
    auto model = parse_text("g (float[N, 8] x) => (y) { y = Relu(x) }");
    model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->clear_dim_param();
    EXPECT_TRUE(error_of(import_proto(model)).contains("model input 'x' [?, 8] has a size without a name"));
    const auto imported = import_proto(model, with_name("x.0", 6));
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(shape_of(imported->graph, "y"), (Shape{6, 8}));
    EXPECT_TRUE(error_of(import_proto(model, with_name("x.1", 6))).contains("that size is 8 in the model"));
    EXPECT_TRUE(error_of(import_proto(model, with_name("x.2", 6))).contains("the tensor's shape is [?, 8]"));
    model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
    const ImportOptions both{.dimensions = {{"x.0", 6}, {"x.1", 7}}, .assume_size = {}};
    const auto ranked = import_proto(model, both);
    ASSERT_TRUE(ranked) << to_text(ranked.error());
    EXPECT_EQ(shape_of(ranked->graph, "y"), (Shape{6, 7}));
}

TEST(OpenSizes, AMisspeltNameGetsTheNearestOne) {
    const auto error = import_text(kBatch, {.dimensions = {{"bacth", 3}}, .assume_size = {}});
    ASSERT_FALSE(error);
    EXPECT_EQ(error.error().kind, DiagnosticKind::usage);
    EXPECT_TRUE(error_of(error).contains("did you mean 'batch'?")) << error_of(error);
    EXPECT_TRUE(error_of(import_text(kBatch, {.dimensions = {{"batch", 0}}, .assume_size = {}})).contains("at least 1"));
    EXPECT_TRUE(error_of(import_text(kBatch, {.dimensions = {{"batch", 1}, {"batch", 2}}, .assume_size = {}})).contains("twice"));
    EXPECT_TRUE(error_of(import_text(kBatch, {.dimensions = {}, .assume_size = -1})).contains("at least 1"));
}

TEST(OpenSizes, OneNameIsOneSizeWhenAssumed) {
    const auto imported = import_good(kBatch, {.dimensions = {{"seq", 7}}, .assume_size = 2});
    EXPECT_EQ(shape_of(imported.graph, "v"), (Shape{2, 7, 4}));
    EXPECT_EQ(imported.graph.assumptions()[1], "dimension 'batch' = 2 (--assume-size)");
}

TEST(OpenSizes, ShapeArithmeticOnABoundSizeIsFolded) {
    const auto imported = import_good(R"(g (float[batch, 12, 64] x) => (y) {
        s = Shape(x)
        zero = Constant <value_ints = [0]> ()
        b = Gather(s, zero)
        rest = Constant <value_ints = [-1]> ()
        t = Concat <axis = 0> (b, rest)
        y = Reshape(x, t)
    })",
                                      {.dimensions = {{"batch", 4}}, .assume_size = {}});
    EXPECT_EQ(shape_of(imported.graph, "y"), (Shape{4, 768}));
    ASSERT_EQ(imported.graph.operator_count(), 1u);
    EXPECT_EQ(imported.graph.operators()[0].features.operator_class, graph::OperatorClass::view);
    EXPECT_EQ(imported.report.folded, 5u);
    EXPECT_EQ(imported.report.views, 1u);
}

// --- sizes that depend on data --------------------------------------------------------------------------------------------

const std::string kExpert = R"(g (float[2, 64] mask, float[64, 8] tokens) => (y) {
    hits = NonZero(mask)
    one = Constant <value_int = 1> ()
    rows = Gather <axis = 0> (hits, one)
    chosen = Gather <axis = 0> (tokens, rows)
    s = Shape(chosen)
    flat = Constant <value_ints = [-1]> ()
    t = Concat <axis = 0> (s, flat)
    wide = Reshape(chosen, t)
    y = Relu(wide)
})";

TEST(DataDependentSizes, AreTakenAsTheirUpperBoundAndSaidSo) {
    const auto imported = import_good(kExpert);
    EXPECT_EQ(shape_of(imported.graph, "hits"), (Shape{2, 128}));
    EXPECT_EQ(shape_of(imported.graph, "y"), (Shape{128, 8, 1}));
    ASSERT_EQ(imported.graph.assumptions().size(), 1u);
    EXPECT_EQ(imported.graph.assumptions()[0], "data-dependent size of 'hits' taken as its upper bound 128");
    // The size differs from run to run, so its chain stays; and since only a stage that has the tensor can tell its size, none is
    // replicated for free.
    ASSERT_NE(find_operator(imported.graph, "Shape"), nullptr);
    ASSERT_NE(find_operator(imported.graph, "Concat"), nullptr);
    EXPECT_TRUE(std::ranges::none_of(imported.graph.operators(), &graph::Operator::replicated));
    EXPECT_GT(imported.report.shapes_assumed, 0u);
}

TEST(DataDependentSizes, AssumeSizeLowersABound) {
    const auto imported = import_good(kExpert, {.dimensions = {}, .assume_size = 16});
    EXPECT_EQ(shape_of(imported.graph, "y"), (Shape{16, 8, 1}));
    EXPECT_EQ(imported.graph.assumptions()[0], "data-dependent size of 'hits' taken as 16 (--assume-size; at most 128)");
    EXPECT_EQ(shape_of(import_good(kExpert, {.dimensions = {}, .assume_size = 1000}).graph, "hits"), (Shape{2, 128}));
    EXPECT_EQ(shape_of(import_good(kExpert, {.dimensions = {{"hits.1", 30}}, .assume_size = {}}).graph, "y"), (Shape{30, 8, 1}));
}

TEST(DataDependentSizes, TheFilesOwnSizeGoesBeforeABound) {
    auto model = parse_text(kExpert);
    auto& info = *model.mutable_graph()->add_value_info();
    info.set_name("hits");
    info.mutable_type()->mutable_tensor_type()->set_elem_type(::onnx::TensorProto::INT64);
    for (const int size : {2, 40}) info.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(size);
    const auto imported = import_proto(model);
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(shape_of(imported->graph, "y"), (Shape{40, 8, 1}));
    EXPECT_TRUE(imported->graph.assumptions().empty());
}

TEST(DataDependentSizes, OtherRules) {
    const auto first_output = [](const std::string& inputs, const std::string& node, int opset = 17) {
        return shape_of(import_good(std::format("g ({}) => (y) {{ {} }}", inputs, node), {}, opset).graph, "y");
    };
    EXPECT_EQ(first_output("float[3, 4] x", "y = Unique(x)"), (Shape{12}));
    EXPECT_EQ(first_output("float[3, 4] x", "y = Unique <axis = 1> (x)"), (Shape{3, 4}));
    EXPECT_EQ(first_output("float[3, 4] x, bool[2] c", "y = Compress <axis = 0> (x, c)"), (Shape{2, 4}));
    EXPECT_EQ(first_output("float[3, 40] x, int64[1] k", "y, i = TopK(x, k)"), (Shape{3, 40}));
    EXPECT_EQ(first_output("float[3, 40] x, int64[1] s, int64[1] e", "y = Slice(x, s, e)"), (Shape{3, 40}));
    EXPECT_EQ(first_output("float[2, 100, 4] b, float[2, 5, 100] s", "m = Constant <value_ints = [7]> ()\n y = NonMaxSuppression(b, s, m)"),
              (Shape{70, 3}));
}

TEST(DataDependentSizes, WithoutARuleAreRefused) {
    const std::string graph = "g (float[8] x, int64[2] shape) => (y) { t = Expand(x, shape)\n y = Relu(t) }";
    const std::string text = error_of(import_text(graph));
    EXPECT_TRUE(text.contains("Expand -> 't'")) << text;
    EXPECT_TRUE(text.contains("--assume-size")) << text;
    EXPECT_EQ(shape_of(import_good(graph, {.dimensions = {}, .assume_size = 8}).graph, "y"), (Shape{8, 8}));
}

TEST(UnknownOperators, TakeTheirShapeFromTheFile) {
    const std::string graph = "g (float[2, 8] x) => (y) { a = com.microsoft.Magic(x)\n b = com.acme.Other(a)\n y = Relu(b) }";
    EXPECT_TRUE(error_of(import_text(graph)).contains("Magic -> 'a' makes 'a' of unknown rank"));
    auto model = parse_text(graph);
    for (const char* name : {"a", "b"}) {
        auto& info = *model.mutable_graph()->add_value_info();
        info.set_name(name);
        info.mutable_type()->mutable_tensor_type()->set_elem_type(::onnx::TensorProto::FLOAT16);
        for (const int size : {2, 4}) info.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(size);
    }
    const auto imported = import_proto(model);
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(shape_of(imported->graph, "y"), (Shape{2, 4}));
    EXPECT_EQ(find_tensor(imported->graph, "a")->bytes, Bytes{16});
    EXPECT_NE(find_operator(imported->graph, "com.microsoft.Magic"), nullptr);
    EXPECT_EQ(imported->report.opaque_types, (std::vector<std::string>{"com.acme.Other (1)", "com.microsoft.Magic (1)"}));
    const auto assumed = import_text(graph, {.dimensions = {}, .assume_size = 5});
    ASSERT_TRUE(assumed) << to_text(assumed.error());
    EXPECT_EQ(shape_of(assumed->graph, "a"), (Shape{5}));
}

TEST(UnknownOperators, OfTheStandardDomainAreOpaqueToo) {
    const auto imported = import_text("g (float[2] x) => (float[2] y) { y = NoSuchOperator(x) }");
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(imported->report.opaque_types.size(), 1u);
}

TEST(FileShapes, ThatContradictInferenceAreWarnedAbout) {
    auto model = parse_text("g (float[2, 8] x) => (y) { a = Neg(x)\n y = Relu(a) }");
    auto& info = *model.mutable_graph()->add_value_info();
    info.set_name("a");
    info.mutable_type()->mutable_tensor_type()->set_elem_type(::onnx::TensorProto::FLOAT);
    for (const int size : {2, 9}) info.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(size);
    const auto imported = import_proto(model);
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(shape_of(imported->graph, "a"), (Shape{2, 8}));
    ASSERT_EQ(imported->report.warnings.size(), 1u);
    EXPECT_TRUE(imported->report.warnings[0].contains("'a': [2, 9] in the file, [2, 8] inferred"));
}

TEST(Misfits, AreWarnedAboutAndNotInferred) {
    const auto imported = import_text("g (float[2, 3] x, float[4, 5] w) => (float[2, 5] y) { y = MatMul(x, w) }");
    ASSERT_TRUE(imported) << to_text(imported.error());
    ASSERT_FALSE(imported->report.warnings.empty());
    EXPECT_TRUE(imported->report.warnings[0].contains("do not fit their definitions")) << imported->report.warnings[0];
    EXPECT_TRUE(import_text("g (float[2, 3] x) => (float[2, 5] y) { y = Conv(x) }"));  // too few inputs: libonnx must not be asked
}

// libonnx' own inference reads beyond its arrays on each of these.
TEST(Misfits, WeightsOfAnotherRankThanTheInput) {
    for (const std::string call : {"Conv (x, w)", "ConvTranspose (x, w)", "ConvInteger (a, b)", "QLinearConv (a, s, z, b, s, z, s, z)"}) {
        const auto imported = import_text(
            std::format("g (float[1, 2] x, float[2, 2, 3, 3] w, uint8[1, 2] a, uint8[2, 2, 3, 3] b, float s, uint8 z) => (y) {{ y = {} }}",
                        call),
            {});
        const std::string text = imported ? std::string("imported") : to_text(imported.error());
        EXPECT_TRUE(text.contains("sizes that are not known")) << call << text;
    }
}

TEST(Misfits, AnAxisBeyondTheRank) {
    for (const char* axis : {"2147483648", "3", "-4", "-9223372036854775808"}) {
        auto model = parse_text("g (float[2, 3, 4] x, float[4] w) => (y) { y, m = LayerNormalization <axis = 1> (x, w) }");
        model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->set_i(std::stoll(axis));
        EXPECT_TRUE(error_of(import_proto(model)).contains("sizes that are not known")) << axis;
    }
}

TEST(Ranks, ThatDoubleAtEachStepStop) {
    // Gather of a tensor by itself has rank 2r - 1: sixty of them would have rank 2^60.
    auto model = parse_text("g (int64[1, 1] x) => (y) { y = Identity(x) }");
    auto& graph = *model.mutable_graph();
    graph.clear_node();
    std::string last = "x";
    for (int i = 0; i < 60; ++i) {
        auto& node = *graph.add_node();
        node.set_op_type("Gather");
        node.add_input(last);
        node.add_input(last);
        last = i == 59 ? "y" : std::format("t{}", i);
        node.add_output(last);
    }
    EXPECT_TRUE(error_of(import_proto(model)).contains("of unknown rank"));
}

}  // namespace
}  // namespace sluice::onnx
