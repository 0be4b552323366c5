// GPT-2 (Radford et al. 2019) with language-model head tied to the word table: one constant causal mask feeds every layer. The projections
// are Gemm between Reshape, as exporters write the reference implementation's.
#include <cmath>

#include "sluice/onnx/zoo/layers.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
/// x W + b on the flattened samples.
Value project(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t width) {
    const std::int64_t fan_in = x.shape[2];
    const Value flat = builder.reshape(name + ".flat", x, {x.shape[0] * x.shape[1], fan_in});
    const Value weight = builder.weight(name + ".weight", {fan_in, width}, fan_in);
    const Value bias = builder.parameter(name + ".bias", {width}, 0.0, 0.02);
    const Value product = builder.node("Gemm", name + ".gemm", {flat.name, weight.name, bias.name}, {flat.shape[0], width});
    return builder.reshape(name, product, {x.shape[0], x.shape[1], width});
}

/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
Value gelu_tanh(ModelBuilder& builder, const std::string& name, const Value& x) {
    const Value cube = builder.with_scalar("Pow", name + ".cube", x, 3.0F);
    const Value inner = builder.binary("Add", name + ".inner", x, builder.with_scalar("Mul", name + ".cube.scaled", cube, 0.044715F));
    const Value tanh = builder.unary("Tanh", name + ".tanh", builder.with_scalar("Mul", name + ".scaled", inner, 0.7978845608F));
    // One after the other: compilers differ in which argument of a call they make first, and operators are in the order in which they are
    // made.
    const Value shifted = builder.with_scalar("Add", name + ".shifted", tanh, 1.0F);
    const Value half = builder.with_scalar("Mul", name + ".half", x, 0.5F);
    return builder.binary("Mul", name, half, shifted);
}

Value causal_attention(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t heads, const Value& mask) {
    const std::int64_t hidden = x.shape[2];
    const std::vector<Value> parts = builder.split(name + ".split", project(builder, name + ".qkv", x, 3 * hidden), 2, 3);
    const Value query = split_heads(builder, name + ".query", parts[0], heads, {0, 2, 1, 3});
    const Value key = split_heads(builder, name + ".key", parts[1], heads, {0, 2, 3, 1});
    const Value value = split_heads(builder, name + ".value", parts[2], heads, {0, 2, 1, 3});
    const float scale = std::sqrt(static_cast<float>(hidden / heads));
    const Value scores = builder.with_scalar("Div", name + ".scores", builder.matmul(name + ".scores.matmul", query, key), scale);
    const Value lowest = builder.scalar(name + ".scores.lowest", -10000.0F);
    const Value masked = builder.node("Where", name + ".scores.masked", {mask.name, scores.name, lowest.name}, scores.shape);
    const Value context = builder.matmul(name + ".context.matmul", builder.softmax(name + ".probabilities", masked), value);
    return project(builder, name + ".output", merge_heads(builder, name + ".context", context), hidden);
}

void build_gpt2(ModelBuilder& builder, const Sizes& sizes) {
    const std::int64_t batch = sizes["batch"], sequence = sizes["seq"], hidden = sizes["hidden"];
    check_heads(hidden, sizes["heads"]);
    check_positions(sequence, sizes["positions"]);
    const Value tokens = builder.input("input_ids", {batch, sequence}, Element::int64);
    const Value table = builder.parameter("embeddings.word.weight", {sizes["vocab"], hidden}, 0.0, 0.02);
    const Value places = builder.parameter("embeddings.position.weight", {sizes["positions"], hidden}, 0.0, 0.02);
    const Value mask = builder.causal_mask("mask", sequence);
    const Value position = builder.gather("embeddings.position", places, builder.range("embeddings.position.ids", sequence));
    const Value word = builder.gather("embeddings.word", table, tokens);
    Value x = builder.binary("Add", "embeddings", word, position);
    for (std::int64_t i = 0; i < sizes["layers"]; ++i) {
        const std::string layer = "layer" + std::to_string(i);
        const Value attended =
            causal_attention(builder, layer + ".attention", layer_norm(builder, layer + ".attention.norm", x), sizes["heads"], mask);
        x = builder.binary("Add", layer + ".attention.residual", attended, x);
        const Value up = project(builder, layer + ".mlp.up", layer_norm(builder, layer + ".mlp.norm", x), sizes["ff"]);
        const Value down = project(builder, layer + ".mlp.down", gelu_tanh(builder, layer + ".mlp.gelu", up), hidden);
        x = builder.binary("Add", layer + ".mlp.residual", down, x);
    }
    x = layer_norm(builder, "norm", x);
    // The head reads the word table as it lies (transB), so that both uses name one parameter.
    const Value flat = builder.reshape("logits.flat", x, {batch * sequence, hidden});
    const Value logits = builder.node("Gemm", "logits.gemm", {flat.name, table.name}, {batch * sequence, sizes["vocab"]}, {{"transB", 1}});
    builder.output(builder.reshape("logits", logits, {batch, sequence, sizes["vocab"]}));
}
}  // namespace

std::vector<Family> gpt2_families() {
    return {{"gpt2",
             "GPT-2 with its head tied to the word table, 124 M parameters; one constant causal mask feeds every layer",
             {{"layers", 12, "layers", 1, kMany},
              {"hidden", 768, "features of a token"},
              {"heads", 12, "attention heads"},
              {"ff", 3072, "features inside the feed-forward block"},
              {"seq", 1024, "tokens of a sample"},
              {"positions", 1024, "rows of the position table"},
              {"vocab", 50257, "rows of the word table"},
              {"batch", 1, "samples"}},
             build_gpt2}};
}

}  // namespace sluice::onnx::zoo
