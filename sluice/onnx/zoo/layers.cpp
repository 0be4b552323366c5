#include "sluice/onnx/zoo/layers.hpp"

#include <cmath>
#include <numbers>

namespace sluice::onnx::zoo {

Value linear(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t width) {
    const std::int64_t fan_in = x.shape.back();
    if (x.shape.size() == 2) {
        const Value weight = builder.weight(name + ".weight", {width, fan_in}, fan_in);
        const Value bias = builder.parameter(name + ".bias", {width}, 0.0, 0.02);
        return builder.node("Gemm", name, {x.name, weight.name, bias.name}, {x.shape[0], width}, {{"transB", 1}});
    }
    const Value product = builder.matmul(name + ".matmul", x, builder.weight(name + ".weight", {fan_in, width}, fan_in));
    return builder.binary("Add", name, product, builder.parameter(name + ".bias", {width}, 0.0, 0.02));
}

Value perceptron(ModelBuilder& builder, const std::string& name, Value x, std::int64_t layers, std::int64_t width) {
    for (std::int64_t i = 0; i < layers; ++i) {
        const std::string layer = name + std::to_string(i);
        x = builder.unary("Relu", layer + ".relu", linear(builder, layer, x, width));
    }
    return x;
}

Value layer_norm(ModelBuilder& builder, const std::string& name, const Value& x) {
    const Value scale = builder.parameter(name + ".weight", {x.shape.back()}, 1.0, 0.02);
    const Value bias = builder.parameter(name + ".bias", {x.shape.back()}, 0.0, 0.02);
    return builder.node("LayerNormalization", name, {x.name, scale.name, bias.name}, x.shape, {{"axis", -1}, {"epsilon", 1e-5F}});
}

Value gelu(ModelBuilder& builder, const std::string& name, const Value& x) {
    const Value scaled = builder.with_scalar("Div", name + ".scaled", x, std::numbers::sqrt2_v<float>);
    const Value erf = builder.unary("Erf", name + ".erf", scaled);
    const Value shifted = builder.with_scalar("Add", name + ".shifted", erf, 1.0F);
    return builder.with_scalar("Mul", name, builder.binary("Mul", name + ".product", x, shifted), 0.5F);
}

void check_heads(std::int64_t hidden, std::int64_t heads) {
    if (hidden % heads == 0) return;
    refuse("heads=" + std::to_string(heads) + " do not divide hidden=" + std::to_string(hidden), "take heads that divide the hidden width");
}

void check_positions(std::int64_t sequence, std::int64_t positions) {
    if (sequence <= positions) return;
    refuse("seq=" + std::to_string(sequence) + " is longer than the table of positions=" + std::to_string(positions),
           "set positions=" + std::to_string(sequence));
}

Value split_heads(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t heads,
                  std::vector<std::int64_t> permutation) {
    const Value split = builder.reshape(name + ".split", x, {x.shape[0], x.shape[1], heads, x.shape[2] / heads});
    return builder.transpose(name + ".heads", split, std::move(permutation));
}

Value merge_heads(ModelBuilder& builder, const std::string& name, const Value& x) {
    const Value swapped = builder.transpose(name + ".transposed", x, {0, 2, 1, 3});
    return builder.reshape(name, swapped, {swapped.shape[0], swapped.shape[1], swapped.shape[2] * swapped.shape[3]});
}

Value attention(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t heads, const Value* mask) {
    const std::int64_t hidden = x.shape.back();
    const auto project = [&](const std::string& what, std::vector<std::int64_t> permutation) {
        return split_heads(builder, name + what, linear(builder, name + what, x, hidden), heads, std::move(permutation));
    };
    const Value query = project(".query", {0, 2, 1, 3});
    const Value key = project(".key", {0, 2, 3, 1});
    const Value value = project(".value", {0, 2, 1, 3});
    const float scale = std::sqrt(static_cast<float>(hidden / heads));
    Value scores = builder.with_scalar("Div", name + ".scores", builder.matmul(name + ".scores.matmul", query, key), scale);
    if (mask != nullptr) scores = builder.binary("Add", name + ".scores.masked", scores, *mask);
    const Value context = builder.matmul(name + ".context.matmul", builder.softmax(name + ".probabilities", scores), value);
    return linear(builder, name + ".output", merge_heads(builder, name + ".context", context), hidden);
}

Value attention_block(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t heads, const Value* mask) {
    const Value attended = attention(builder, name, x, heads, mask);
    return layer_norm(builder, name + ".norm", builder.binary("Add", name + ".residual", attended, x));
}

Value encoder_layer(ModelBuilder& builder, const std::string& name, const Value& x, const TransformerSizes& sizes, const Value* mask) {
    const Value attended = attention_block(builder, name + ".attention", x, sizes.heads, mask);
    const Value up = gelu(builder, name + ".intermediate.gelu", linear(builder, name + ".intermediate", attended, sizes.feed_forward));
    const Value down = linear(builder, name + ".output", up, x.shape.back());
    return layer_norm(builder, name + ".output.norm", builder.binary("Add", name + ".output.residual", down, attended));
}

}  // namespace sluice::onnx::zoo
