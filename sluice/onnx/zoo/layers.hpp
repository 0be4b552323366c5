// Layers that several families share, as exporters decompose them.
#pragma once

#include <span>
#include <string>

#include "sluice/onnx/zoo/builder.hpp"

namespace sluice::onnx::zoo {

/// x W + b over the last axis: Gemm for a matrix, MatMul and Add for more axes.
Value linear(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t width);
/// `layers` times linear and Relu.
Value perceptron(ModelBuilder& builder, const std::string& name, Value x, std::int64_t layers, std::int64_t width);
Value layer_norm(ModelBuilder& builder, const std::string& name, const Value& x);
/// x/2 (1 + erf(x/sqrt 2)), opset 17 having no Gelu.
Value gelu(ModelBuilder& builder, const std::string& name, const Value& x);

struct TransformerSizes {
    std::int64_t heads, feed_forward;
};
/// Refuses heads that do not divide the hidden width.
void check_heads(std::int64_t hidden, std::int64_t heads);
/// Refuses a sequence longer than the table of positions.
void check_positions(std::int64_t sequence, std::int64_t positions);
/// Multi-head self-attention on [batch, sequence, hidden] with output projection; `mask` (or null) is added to the scores.
Value attention(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t heads, const Value* mask);
/// Attention, then LayerNormalization(x + …) (post-norm).
Value attention_block(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t heads, const Value* mask);
/// The layer of BERT: attention block, two linears with Gelu between, again residual and norm.
Value encoder_layer(ModelBuilder& builder, const std::string& name, const Value& x, const TransformerSizes& sizes, const Value* mask);

/// [batch, sequence, hidden] <-> [batch, heads, sequence, hidden / heads], by Reshape and Transpose. `permutation` is {0,2,1,3}, or
/// {0,2,3,1} for keys.
Value split_heads(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t heads,
                  std::vector<std::int64_t> permutation);
Value merge_heads(ModelBuilder& builder, const std::string& name, const Value& x);

}  // namespace sluice::onnx::zoo
