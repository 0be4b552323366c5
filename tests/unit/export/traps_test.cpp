// What a cut can break: each trap in a model of a few operators.
#include "tests/unit/export/check_cuts.hpp"

namespace sluice::test {

using onnx::parse_text;

/// Saves, exports, and gives what was written.
Exported cut(const ::onnx::ModelProto& model, std::string_view second_stage_begins_with, const onnx::ImportOptions& import = {}) {
    const TemporaryFolder folder;
    save(model, folder / "model.onnx");
    const auto loaded = onnx::load_model((folder / "model.onnx").string(), import);
    if (!loaded) {
        ADD_FAILURE() << to_text(loaded.error());
        return {};
    }
    return export_good(folder / "model.onnx", folder / "stages", cut_before(loaded->graph, second_stage_begins_with),
                       {.import = import, .self_contained = false, .adopt_weights = false, .stop = {}});
}

TEST(Traps, a_parameter_used_twice_is_in_both_stages) {
    auto model = parse_text("g (float[2, 64] x) => (float[2, 64] y) { a = MatMul(x, w) b = Relu(a) y = MatMul(b, w) }");
    add_floats(*model.mutable_graph(), "w", {64, 64});
    check_cuts(model);
    const auto exported = cut(model, "b");
    for (const auto& stage : exported.models) {
        ASSERT_EQ(stage.graph().initializer_size(), 1);
        EXPECT_EQ(stage.graph().initializer(0).data_location(), ::onnx::TensorProto::EXTERNAL);
    }
}

TEST(Traps, a_shape_of_a_tensor_elsewhere_is_embedded) {
    const auto model =
        parse_text(R"(g (float[2, 3, 4] x) => (float[2, 12] y) <int64[1] last = {-1}, int64 zero = {0}, int64[1] front = {0}> {
        a = Relu(x)
        s = Shape(a)
        n = Gather(s, zero)
        first = Unsqueeze(n, front)
        target = Concat <axis = 0> (first, last)
        b = Neg(a)
        c = Exp(b)
        y = Reshape(c, target)
    })");
    check_cuts(model);
    const auto exported = cut(model, "c");
    EXPECT_EQ(names_of(exported.manifest.stages[1].inputs), (std::vector<std::string>{"b"}));
    EXPECT_FALSE(exported.has(1, "Shape"));  // 'a' is not here
    EXPECT_TRUE(exported.has(1, "Concat"));
}

TEST(Traps, a_shape_of_a_tensor_that_is_here_is_worked_out_again) {
    const auto exported = cut(parse_text(R"(g (float[2, 3, 4] x) => (float[24] y) {
        a = Relu(x)
        b = Neg(a)
        i = Identity(b)
        s = Size(i)
        flat = Constant <value_ints = [1]> ()
        target = Reshape(s, flat)
        y = Reshape(b, target)
    })"),
                              "y");
    EXPECT_EQ(names_of(exported.manifest.stages[1].inputs), (std::vector<std::string>{"b"}));
    EXPECT_TRUE(exported.has(1, "Size"));
    EXPECT_TRUE(exported.has(1, "Identity"));
}

TEST(Traps, identities_and_dropouts_on_the_cut) {
    check_cuts(R"(g (float[2, 3] x) => (float[2, 3] y, float[2, 3] z) {
        a = Relu(x)
        i = Identity(a)
        d, mask = Dropout(i)
        b = Neg(d)
        c = Exp(i)
        y = Add(b, c)
        z = Identity(d)
    })");
}

TEST(Traps, views_and_aliases_of_initializers) {
    auto model = parse_text(R"(g (float[2, 32] x) => (float[2, 32] y) {
        alias = Identity(w)
        t = Transpose <perm = [1, 0]> (alias)
        a = MatMul(x, t)
        b = MatMul(a, alias)
        flat = Constant <value_ints = [-1]> ()
        row = Reshape(w, flat)
        e = ReduceMean <axes = [0]> (row)
        c = Mul(b, e)
        y = MatMul(c, t)
    })");
    add_floats(*model.mutable_graph(), "w", {32, 32});
    check_cuts(model);
}

TEST(Traps, quantised_weights_stay_quantised) {
    auto model = parse_text(R"(g (float[2, 48] x) => (float[2, 48] y) <float scale = {0.02}, int8 zero = {3}> {
        w = DequantizeLinear(q, scale, zero)
        a = MatMul(x, w)
        b = Relu(a)
        y = MatMul(b, w)
    })");
    auto& weight = *model.mutable_graph()->add_initializer();
    weight.set_name("q");
    weight.set_data_type(::onnx::TensorProto::INT8);
    weight.add_dims(48);
    weight.add_dims(48);
    for (int i = 0; i < 48 * 48; ++i) weight.add_int32_data(i * 31 % 255 - 127);
    check_cuts(model);
    const auto exported = cut(model, "b");
    for (std::size_t s = 0; s < 2; ++s) EXPECT_TRUE(exported.has(s, "DequantizeLinear"));
}

TEST(Traps, bodies_capture_tensors_weights_and_constants) {
    auto model = parse_text(R"(g (float[2, 40] x, bool[1] c) => (float[2, 40] y) <float[1] one = {1}> {
        a = Relu(x)
        two = Add(one, one)
        b = Exp(a)
        r = If (c) <
            then_branch = yes () => (float[2, 40] p) { m = MatMul(a, w) p = Mul(m, two) },
            else_branch = no () => (float[2, 40] q) {
                inner = If (c) <
                    then_branch = yes2 () => (float[2, 40] p2) { p2 = Identity(a) },
                    else_branch = no2 () => (float[2, 40] q2) { q2 = Add(b, one) }>
                q = Mul(inner, two) }>
        y = Add(r, b)
    })");
    add_floats(*model.mutable_graph(), "w", {40, 40});
    check_cuts(model);
}

TEST(Traps, loops_with_weights_of_their_own) {
    auto model = parse_text(R"(g (float[1, 40] x) => (float[1, 40] y, float[3, 1, 40] all) <int64 trips = {3}, bool yes = {1}> {
        a = Relu(x)
        last, all = Loop (trips, yes, a) <body = step (int64 i, bool going, float[1, 40] state) => (bool still, float[1, 40] next, float[1, 40] out) {
            still = Identity(going)
            m = MatMul(state, w)
            n = Add(m, x)
            next = Tanh(n)
            out = Identity(next)
        }>
        y = Neg(last)
    })");
    auto* body = [&]() -> ::onnx::GraphProto* {
        for (auto& node : *model.mutable_graph()->mutable_node()) {
            if (node.op_type() == "Loop") return node.mutable_attribute(0)->mutable_g();
        }
        return nullptr;
    }();
    ASSERT_NE(body, nullptr);
    add_floats(*body, "w", {40, 40});
    check_cuts(model);
}

TEST(Traps, random_operators_and_other_domains) {
    check_cuts(R"(g (float[2, 3] x) => (float[2, 3] y) {
        a = Relu(x)
        noise = RandomNormalLike <seed = 3.0> (a)
        b = Add(a, noise)
        c = com.microsoft.Gelu(b)
        alone = RandomUniform <shape = [2, 3], seed = 5.0> ()
        y = Mul(c, alone)
    })");
    const auto exported = cut(parse_text("g (float[2] x) => (float[2] y) { a = Relu(x) y = com.microsoft.Gelu(a) }"), "y");
    const auto& imports = exported.models[1].opset_import();
    EXPECT_TRUE(std::ranges::any_of(imports, [](const auto& import) { return import.domain() == "com.microsoft"; }));
}

TEST(Traps, model_outputs_keep_their_names) {
    const char* text =
        R"(g (float[2, 3] x) => (float[2, 3] a, float[2, 3] renamed, float[2, 3] same, float[2, 3] x, float[1] fixed, float[2, 3] y)
        <float[1] one = {1}> {
        a = Relu(x)
        renamed = Identity(a)
        fixed = Add(one, one)
        b = Mul(a, fixed)
        same = Identity(x)
        y = Neg(b)
    })";
    check_cuts(text);
    const auto exported = cut(parse_text(text), "b");
    std::vector<std::pair<std::string, std::string>> made;
    for (const auto& output : exported.manifest.outputs) made.emplace_back(output.tensor.name, output.made_as);
    EXPECT_EQ(made, (std::vector<std::pair<std::string, std::string>>{
                        {"a", "a"}, {"renamed", "a"}, {"same", "x"}, {"x", "x"}, {"fixed", ""}, {"y", "y"}}));
    EXPECT_EQ(names_of(exported.manifest.stages[0].outputs), (std::vector<std::string>{"a"}));
}

TEST(Traps, several_outputs_and_empty_optional_inputs) {
    check_cuts(R"(g (float[2, 6] x) => (float[2, 3] y, int64[2, 2] k) <float high = {0.5}, int64[1] two = {2}> {
        a, b = Split <axis = 1> (x)
        c = Clip(b, , high)
        values, k = TopK(c, two)
        d = Mul(a, c)
        y = Sub(d, b)
    })");
}

TEST(Traps, sizes_that_depend_on_data) {
    const char* text =
        R"(g (float[16, 8] tokens, float[16] gate) => (float[n, 8] y) <int64[1] flat = {-1}, int64 one = {1}, int64 zero = {0}> {
        open = Relu(gate)
        found = NonZero(open)
        rows = Gather <axis = 0> (found, zero)
        chosen = Gather <axis = 0> (tokens, rows)
        s = Shape(chosen)
        flatter = Reshape(chosen, flat)
        back = Reshape(flatter, s)
        y = Relu(back)
    })";
    check_cuts(text);
    const auto exported = cut(parse_text(text), "back");
    const auto& inputs = exported.manifest.stages[1].inputs;
    EXPECT_EQ(names_of(inputs), (std::vector<std::string>{"s", "flatter"}));
    EXPECT_FALSE(inputs[0].varies);  // always two sizes
    EXPECT_TRUE(inputs[1].varies);
    EXPECT_EQ(inputs[1].shape, (std::vector<std::int64_t>{128}));
}

TEST(Traps, symbolic_sizes_bound_by_the_plan) {
    check_cuts(R"(g (float[batch, 6] x) => (float[batch, 6] y) <int64[1] whole = {-1}> {
        a = Relu(x)
        s = Shape(a)
        b = Reshape(a, whole)
        c = Exp(b)
        y = Reshape(c, s)
    })",
               {.dimensions = {{"batch", 3}}, .assume_size = std::nullopt});
}

TEST(Traps, weights_in_the_model_file_go_out_once) {
    auto model = parse_text(R"(g (float[4, 64] x) => (float[4, 64] y) {
        a = MatMul(x, w)
        b = Add(a, typed)
        c = MatMul(b, w)
        y = Add(c, typed)
    })");
    add_floats(*model.mutable_graph(), "w", {64, 64});
    auto& typed = *model.mutable_graph()->add_initializer();
    typed.set_name("typed");
    typed.set_data_type(::onnx::TensorProto::FLOAT);
    typed.add_dims(16);
    typed.add_dims(1);
    typed.add_dims(64);
    for (const float value : varied(16 * 64)) typed.add_float_data(value);
    auto& constant = *model.mutable_graph()->add_node();
    constant.set_op_type("Constant");
    constant.add_output("big");
    auto& attribute = *constant.add_attribute();
    attribute.set_name("value");
    attribute.set_type(::onnx::AttributeProto::TENSOR);
    ::onnx::GraphProto scratch;
    *attribute.mutable_t() = add_floats(scratch, "ignored", {64, 64});
    // Used in both stages.
    for (auto& node : *model.mutable_graph()->mutable_node()) {
        if (node.op_type() == "MatMul" && node.output(0) == "c") node.set_input(1, "big");
    }
    model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
    check_cuts(model);

    const TemporaryFolder folder;
    save(model, folder / "model.onnx");
    const auto loaded = onnx::load_model((folder / "model.onnx").string());
    ASSERT_TRUE(loaded);
    export_good(folder / "model.onnx", folder / "stages", cut_at(loaded->graph, 3));
    EXPECT_EQ(names_in(folder / "stages"), (std::vector<std::string>{"manifest.json", "stage-0.onnx", "stage-1.onnx", "weights-0.bin"}));
    EXPECT_EQ(std::filesystem::file_size(folder / "stages" / "weights-0.bin"), 16384U + 16384U + 4096U);  // each once
    EXPECT_LT(std::filesystem::file_size(folder / "stages" / "stage-0.onnx"), 2000U);
}

TEST(Traps, initializers_listed_as_inputs_as_before_ir_4) {
    auto model = parse_text("g (float[2, 32] x, float[32, 32] w) => (float[2, 32] y) { a = MatMul(x, w) b = Relu(a) y = MatMul(b, w) }", 9);
    model.set_ir_version(3);
    add_floats(*model.mutable_graph(), "w", {32, 32});
    model.mutable_opset_import()->DeleteSubrange(1, 2);
    check_cuts(model);
}

TEST(Traps, functions_of_another_opset_stay_functions) {
    const auto model =
        parse_text("g (float[3, 3] x) => (float[3, 3] y) { a = Relu(x) b = com.acme.twice(a) c = Neg(b) y = com.acme.once(c) }", 17,
                   R"(<opset_import: ["" : 16, "com.acme" : 1], domain: "com.acme"> once (p) => (q) { q = Exp(p) }
                                     <opset_import: ["" : 16, "com.acme" : 1], domain: "com.acme"> twice (p) => (q) { r = com.acme.once(p) q = com.acme.once(r) }
                                     <opset_import: ["" : 16, "com.acme" : 1], domain: "com.acme"> unused (p) => (q) { q = Tan(p) })");
    onnx::ImportOptions import;
    import.assume_size = 3;
    check_cuts(model, import);
}

TEST(Traps, operators_that_lead_nowhere) {
    check_cuts("g (float[2, 3] x) => (float[2, 3] y) { a = Relu(x) lost = Exp(a) b = Neg(a) y = Add(a, b) }");
}

}  // namespace sluice::test
