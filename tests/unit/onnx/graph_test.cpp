// What becomes an operator, a tensor, a parameter, and what falls out.
#include "model_text.hpp"

namespace sluice::onnx {
namespace {

TEST(Cleaning, RemovesIdentityAndDropout) {
    const auto imported =
        import_good("g (float[2, 8] x) => (y) { a = Relu(x)\n b = Identity(a)\n c = Dropout(b)\n d, mask = Dropout(c)\n y = Neg(d) }");
    ASSERT_EQ(imported.graph.operator_count(), 2u);
    EXPECT_EQ(imported.report.removed_identities, 3u);
    const auto& graph = imported.graph;
    EXPECT_EQ(graph[graph.inputs(OperatorId(1))[0]].name, "a");
}

TEST(Cleaning, KeepsADropoutWhoseMaskIsReadOrThatTrains) {
    EXPECT_EQ(import_good("g (float[2] x) => (y, mask) { y, mask = Dropout(x) }").graph.operator_count(), 1u);
    EXPECT_EQ(import_good("g (float[2] x) => (y) <float r = {0.5}, bool t = {1}> { y = Dropout(x, r, t) }").graph.operator_count(), 1u);
}

TEST(Cleaning, AnOutputBehindAnIdentityIsTheTensorBehindIt) {
    const auto imported = import_good("g (float[2] x) => (y) { a = Relu(x)\n y = Identity(a) }");
    EXPECT_TRUE(find_tensor(imported.graph, "a")->model_output);
    EXPECT_EQ(find_tensor(imported.graph, "y"), nullptr);
}

TEST(Cleaning, SmallConstantsFoldLargeOnesBecomeParameters) {
    const auto imported = import_good(R"(g (float[1, 64, 64] x) => (y) {
        n = Constant <value_int = 64> ()
        zero = Constant <value_int = 0> ()
        one = Constant <value_int = 1> ()
        r = Range(zero, n, one)
        f = Cast <to = 1> (r)
        ax = Constant <value_ints = [1]> ()
        col = Unsqueeze(f, ax)
        mask = Sub(col, f)
        half = Constant <value_float = 0.5> ()
        a = Mul(x, half)
        y = Add(a, mask)
    })");
    ASSERT_EQ(imported.graph.operator_count(), 2u);
    ASSERT_EQ(imported.graph.parameter_count(), 1u);
    EXPECT_EQ(imported.graph.parameters()[0].name, "mask");
    EXPECT_EQ(imported.graph.parameters()[0].bytes, Bytes{64 * 64 * 4});
    EXPECT_EQ(imported.report.folded, 9u);
}

TEST(Cleaning, RandomResultsAreNoConstants) {
    const auto imported = import_good("g (float[4] x) => (y) { r = RandomNormal <shape = [4]> ()\n s = Neg(r)\n y = Add(x, s) }");
    EXPECT_EQ(imported.graph.operator_count(), 3u);
}

TEST(Cleaning, WhatOnlyLedToSizesIsDead) {
    const auto imported = import_good(R"(g (float[2, 8] x) => (y) {
        a = Relu(x)
        s = Shape(a)
        y = Reshape(x, s)
    })");
    ASSERT_EQ(imported.graph.operator_count(), 1u);
    EXPECT_EQ(imported.report.folded, 2u);
    EXPECT_TRUE(imported.report.warnings.empty());
}

TEST(Cleaning, StraySinksStayAndAreCounted) {
    const auto imported = import_good("g (float[2, 8] x) => (y) { y = Relu(x)\n a = Neg(x)\n b = Abs(a) }");
    EXPECT_EQ(imported.graph.operator_count(), 3u);
    ASSERT_EQ(imported.report.warnings.size(), 1u);
    EXPECT_EQ(imported.report.warnings[0], "1 operators lead to no model output; the first is Abs -> 'b'");
}

TEST(Cleaning, AConstantModelOutputIsSaidToBeLeftOut) {
    const auto imported = import_good("g (float[2, 8] x) => (y, s) { y = Relu(x)\n s = Shape(y) }");
    EXPECT_EQ(imported.graph.operator_count(), 1u);
    ASSERT_EQ(imported.report.warnings.size(), 1u);
    EXPECT_TRUE(imported.report.warnings[0].contains("model output 's'")) << imported.report.warnings[0];
}

// --- parameters -----------------------------------------------------------------------------------------------------------

TEST(Parameters, SharedOnesAreOneThroughAliasesAndViews) {
    const auto imported = import_good(R"(g (float[2, 4] x) => (y) <float[4, 4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}> {
        w1 = Identity(w)
        w2 = Identity(w1)
        s = Constant <value_ints = [4, 4]> ()
        w3 = Reshape(w2, s)
        a = MatMul(x, w)
        b = MatMul(a, w2)
        y = MatMul(b, w3)
    })");
    ASSERT_EQ(imported.graph.parameter_count(), 1u);
    EXPECT_EQ(imported.graph.parameters()[0].name, "w");
    EXPECT_EQ(imported.graph.users(ParameterId(0)).size(), 3u);
    EXPECT_EQ(imported.report.aliases, 3u);
    EXPECT_EQ(imported.graph.operator_count(), 3u);
}

TEST(Parameters, ATransposedCopyOfAnEmbeddingIsWarnedAbout) {
    auto model = parse_text(R"(g (int64[1, 4] ids) => (y) { e = Gather(table, ids)
        y = MatMul(e, head) })");
    auto& table = add_weight(model, "table", {50, 8});
    auto& head = add_weight(model, "head", {8, 50});
    const auto warnings = [&] {
        const auto imported = import_proto(model);
        EXPECT_TRUE(imported) << to_text(imported.error());
        return imported ? imported->report.warnings : std::vector<std::string>{};
    };
    ASSERT_EQ(warnings().size(), 1u);
    EXPECT_TRUE(warnings()[0].contains("may be counted twice")) << warnings()[0];
    std::vector<float> a(400), b(400);
    for (std::size_t r = 0; r < 50; ++r) {
        for (std::size_t c = 0; c < 8; ++c) a[r * 8 + c] = b[c * 50 + r] = static_cast<float>(r * 8 + c);
    }
    const auto fill = [](::onnx::TensorProto& tensor, const std::vector<float>& data) {
        tensor.set_raw_data(std::string(reinterpret_cast<const char*>(data.data()), data.size() * sizeof(float)));
    };
    fill(table, a);
    fill(head, b);
    ASSERT_EQ(warnings().size(), 1u);
    EXPECT_TRUE(warnings()[0].contains("are counted twice")) << warnings()[0];
    b[7] += 1;
    fill(head, b);
    EXPECT_TRUE(warnings().empty());
}

TEST(Parameters, AFoldedTransposeIsAParameterOfItsOwn) {
    auto model = parse_text("g (float[2, 3] x) => (y) { t = Transpose(w)\n y = MatMul(x, t) }");
    add_weight(model, "w", {300, 3});
    const auto imported = import_good(model);
    ASSERT_EQ(imported.graph.parameter_count(), 1u);
    EXPECT_EQ(imported.graph.parameters()[0].name, "t");
    EXPECT_EQ(imported.graph.parameters()[0].bytes, Bytes{3600});
}

TEST(Parameters, QuantisedWeightsStayQuantised) {
    auto model =
        parse_text("g (float[2, 64] x) => (y) <float s = {0.5}, int8 z = {0}> { d = DequantizeLinear(w, s, z)\n y = MatMul(x, d) }");
    add_weight(model, "w", {64, 64}, ::onnx::TensorProto::INT8);
    const auto imported = import_good(model);
    ASSERT_EQ(imported.graph.operator_count(), 1u);
    const auto* w = find_parameter(imported.graph, "w");
    ASSERT_NE(w, nullptr);
    EXPECT_EQ(w->bytes, Bytes{4096});
    EXPECT_EQ(find_parameter(imported.graph, "d"), nullptr);
}

TEST(Parameters, AnInitializerListedAsInputIsNoModelInput) {
    auto model = parse_text("g (float[2] x, float[2] w) => (y) { y = Add(x, w) }");
    add_weight(model, "w", {2});
    const auto imported = import_good(model);
    EXPECT_EQ(imported.graph.parameter_count(), 1u);
    EXPECT_EQ(imported.graph.tensor_count(), 2u);
}

// --- tensors --------------------------------------------------------------------------------------------------------------

TEST(Tensors, OnlyOutputsThatAreReadAreKept) {
    const auto imported = import_good(
        "g (float[4, 6] x) => (y) <int64[2] k = {2, 4}> { a, b = Split <axis = 1> (x, k)\n v, i = TopK(b, one)\n y = Relu(v)\n one = "
        "Constant <value_ints = [1]> () }");
    EXPECT_NE(find_tensor(imported.graph, "a"), nullptr);  // the first output names the operator
    EXPECT_EQ(find_tensor(imported.graph, "i"), nullptr);
    EXPECT_EQ(shape_of(imported.graph, "b"), (Shape{4, 4}));
}

TEST(Tensors, EmptyOptionalInputsAndOutputs) {
    const auto imported = import_good("g (float[2, 8] x) => (y) <float hi = {6}> { a = Clip(x, , hi)\n y = Relu(a) }");
    ASSERT_EQ(imported.graph.operator_count(), 2u);
    EXPECT_EQ(imported.graph.inputs(OperatorId(0)).size(), 1u);
    auto model = parse_text("g (float[5, 2, 3] x) => (h) { all, h = LSTM <hidden_size = 4> (x, w, r) }");
    model.mutable_graph()->mutable_node(0)->set_output(0, "");
    add_weight(model, "w", {1, 16, 3});
    add_weight(model, "r", {1, 16, 4});
    const auto lstm = import_good(model);
    ASSERT_EQ(lstm.graph.operator_count(), 1u);
    EXPECT_EQ(shape_of(lstm.graph, "h"), (Shape{1, 2, 4}));
    EXPECT_EQ(lstm.graph.outputs(OperatorId(0)).size(), 1u);
}

TEST(Tensors, BytesFollowTheType) {
    const auto imported = import_good("g (float[3, 5] x) => (y, z) { y = Cast <to = 10> (x)\n z = Cast <to = 9> (x) }");
    EXPECT_EQ(find_tensor(imported.graph, "y")->bytes, Bytes{30});
    EXPECT_EQ(find_tensor(imported.graph, "z")->bytes, Bytes{15});
    EXPECT_EQ(find_tensor(imported.graph, "x")->type, graph::DataType::f32);
}

TEST(Tensors, SequencesHaveNoSizeUntilOneIsAssumed) {
    const std::string graph =
        "g (float[6, 4] x) => (y) { q = SplitToSequence <axis = 0> (x)\n i = Constant <value_int = 0> ()\n y = SequenceAt(q, i) }";
    EXPECT_TRUE(error_of(import_text(graph)).contains("'q' a sequence"));
    const auto imported = import_good(graph, {.dimensions = {}, .assume_size = 5});
    EXPECT_EQ(find_tensor(imported.graph, "q")->bytes, Bytes{5 * 1 * 4 * 4});
    EXPECT_TRUE(find_tensor(imported.graph, "q")->shape_assumed);
    EXPECT_EQ(imported.graph.assumptions()[0], "sequence 'q' has 5 elements (--assume-size)");
}

TEST(Tensors, AnUnreadModelInputIsDroppedAndSaidSo) {
    const auto imported = import_good("g (float[2] x, float[3] unused) => (y) { y = Relu(x) }");
    EXPECT_EQ(find_tensor(imported.graph, "unused"), nullptr);
    EXPECT_EQ(imported.report.warnings, (std::vector<std::string>{"model input 'unused' is read by no operator"}));
}

// --- bodies ---------------------------------------------------------------------------------------------------------------

TEST(Bodies, CapturedTensorsAndParametersBelongToTheOperator) {
    const auto imported = import_good(R"(g (bool c, float[2, 8] x) => (y) <float[8] w = {1,2,3,4,5,6,7,8}> {
        a = Relu(x)
        alias = Identity(w)
        y = If (c) <
            then_branch = t () => (float[2, 8] p) { p = Add(a, alias) },
            else_branch = e () => (float[2, 8] q) <float[8] own = {1,2,3,4,5,6,7,8}> { q = Mul(a, own) }
        >
    })");
    ASSERT_EQ(imported.graph.operator_count(), 2u);
    const auto& graph = imported.graph;
    EXPECT_EQ(graph[OperatorId(1)].type, "If");
    std::vector<std::string> inputs, parameters;
    for (const TensorId t : graph.inputs(OperatorId(1))) inputs.push_back(graph[t].name);
    for (const ParameterId p : graph.parameters(OperatorId(1))) parameters.push_back(graph[p].name);
    EXPECT_EQ(inputs, (std::vector<std::string>{"c", "a"}));
    EXPECT_EQ(parameters, (std::vector<std::string>{"w", "y/own"}));
    EXPECT_EQ(shape_of(graph, "y"), (Shape{2, 8}));
}

TEST(Bodies, BranchesOfDifferentSizeTakeTheLarger) {
    const auto imported = import_good(R"(g (bool c, float[2, 8] x, float[5, 8] z) => (y) {
        y = If (c) < then_branch = t () => (p) { p = Relu(x) }, else_branch = e () => (q) { q = Relu(z) } >
    })");
    EXPECT_EQ(shape_of(imported.graph, "y"), (Shape{5, 8}));
    EXPECT_EQ(imported.graph.assumptions().size(), 1u);
}

constexpr const char* kLoop = R"(g (float[2, 8] x, int64 steps, bool go) => (y, ys) {{
    y, ys = Loop ({}, go, x) <body = b (int64 i, bool c, float[a, b] s) => (bool d, float[e, f] t, float[h, j] u) {{
        d = Identity(c)
        t = {}
        u = Neg(t)
    }}>
}})";

TEST(Bodies, LoopStateThatKeepsItsShapeIsKnown) {
    const auto imported = import_text(std::format(kLoop, "steps", "Relu(s)"), {.dimensions = {}, .assume_size = 3});
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(shape_of(imported->graph, "y"), (Shape{2, 8}));
    EXPECT_EQ(shape_of(imported->graph, "ys"), (Shape{3, 2, 8}));
    EXPECT_TRUE(error_of(import_text(std::format(kLoop, "steps", "Relu(s)"))).contains("'ys' [?, 2, 8]"));
}

TEST(Bodies, LoopStateThatGrowsIsOpen) {
    const std::string text = error_of(import_text(std::format(kLoop, "steps", "Concat <axis = 0> (s, x)")));
    EXPECT_TRUE(text.contains("'y' [?, 8]")) << text;
}

TEST(Bodies, AScanOutputIsAsLongAsTheTripCount) {
    auto model = parse_text(std::format(kLoop, "n", "Relu(s)"));
    add_weight(model, "n", {}, ::onnx::TensorProto::INT64).add_int64_data(7);
    const auto imported = import_proto(model);
    ASSERT_TRUE(imported) << to_text(imported.error());
    EXPECT_EQ(shape_of(imported->graph, "ys"), (Shape{7, 2, 8}));
    // `go` may be false: seven is a bound.
    ASSERT_EQ(imported->graph.assumptions().size(), 1u);
    EXPECT_EQ(imported->graph.assumptions()[0], "trip count of 'Loop' taken as its upper bound 7");
}

TEST(Bodies, Scan) {
    const auto imported = import_good(R"(g (float[4] s0, float[9, 4] xs) => (s, ys) {
        s, ys = Scan (s0, xs) <num_scan_inputs = 1, body = b (float[4] a, float[4] x) => (float[4] n, float[4] o) { n = Add(a, x)
            o = Identity(n) }>
    })");
    EXPECT_EQ(shape_of(imported.graph, "ys"), (Shape{9, 4}));
}

TEST(Bodies, DeepNestsOfLoopsStayLinear) {
    // Every level iterates its state to a fixpoint; without a budget thirty levels would be visited 2^30 times.
    std::string body = "t = Concat <axis = 0> (s, x)";
    for (int i = 0; i < 25; ++i) {
        body = std::format(
            "t = Loop (n, go, s) <body = b{0} (int64 i{0}, bool c{0}, float[p{0}, q{0}] s{0}) => (bool d{0}, float[u{0}, v{0}] r{0}) {{ "
            "d{0} = Identity(c{0})\n {1}\n r{0} = Concat <axis = 0> (t, s{0}) }}>",
            i, body);
    }
    auto model = parse_text(std::format("g (float[2, 8] x, float[2, 8] s, int64 n, bool go) => (y) {{ {}\n y = Relu(t) }}", body));
    EXPECT_FALSE(import_proto(model));  // the size is open; that it comes back at all is the point
}

// --- determinism ----------------------------------------------------------------------------------------------------------

TEST(Import, IsDeterministic) {
    const std::string graph = R"(g (float[batch, 8] x, float[8, 8] w, float[8] b) => (y) { a = MatMul(x, w)
        c = Add(a, b)
        y = Relu(c) })";
    const ImportOptions options{.dimensions = {{"batch", 2}}, .assume_size = {}};
    const auto a = import_good(graph, options), b = import_good(graph, options);
    EXPECT_EQ(a.graph.fingerprint(), b.graph.fingerprint());
    EXPECT_FALSE(a.graph.fingerprint().empty());
}

}  // namespace
}  // namespace sluice::onnx
