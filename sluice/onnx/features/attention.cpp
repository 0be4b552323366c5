// Attention. The score matrix is counted whole, also under a causal mask: kernels differ in what they skip. Kept for the backward pass: the
// inputs, the output and one statistic a row of scores, as kernels that never store the scores do; older ones keep the scores as well.
#include <algorithm>

#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

struct Heads {
    double batch = 0, queries = 0, keys = 0;  // sequence lengths
    double width = 0, value_width = 0;        // summed over heads
    double count = 0;
};

/// Scores, softmax, weighted sum. Rows: every head of every query, the M of the batched product.
void attend(Work& work, const Heads& heads) {
    const double rows = heads.batch * heads.count * heads.queries;
    work.inner_product(2 * heads.batch * heads.queries * heads.keys * heads.width, rows);
    work.inner_product(2 * heads.batch * heads.queries * heads.keys * heads.value_width, rows);
    work.features.flops += kSoftmax * rows * heads.keys;
    work.features.input_gradient_flops += kSoftmaxGradient * rows * heads.keys;
    work.kept_elements_f32 += rows;
}

void keep_operands(Work& work) {
    for (const std::size_t i : {0U, 1U, 2U}) work.keep_input(i);
    work.keep_output();
}

/// Sequence length of a query, key or value: [B, S, W] or [B, N, S, H].
double sequence_of(const Node& node, std::size_t i) { return node.dimension(i, node.rank(i) == 4 ? 2 : 1); }
double width_of(const Node& node, std::size_t i) {
    return node.rank(i) == 4 ? node.dimension(i, 1) * node.dimension(i, 3) : node.dimension(i, -1);
}
double past_of(const Node& node, std::size_t i) { return node.input(i) ? node.dimension(i, -2) : 0; }

/// com.microsoft.Attention: one input projected to queries, keys and values, then attention. Weights [W, Wq + Wk + Wv].
void projected(const Node& node, Work& work, std::size_t past) {
    const double batch = node.dimension(0, 0), sequence = node.dimension(0, 1), columns = node.dimension(1, -1);
    const auto sizes = node.integers("qkv_hidden_sizes");
    const double width = sizes.size() == 3 ? static_cast<double>(sizes[0]) : columns / 3;
    const double value_width = sizes.size() == 3 ? static_cast<double>(sizes[2]) : columns / 3;
    work.product(node, 2 * batch * sequence * node.dimension(0, 2) * columns, batch * sequence, 0, 1);
    if (node.input(2)) {
        work.features.flops += batch * sequence * columns;
        work.gradient(node, 2, batch * sequence * columns);
    }
    attend(work, {.batch = batch,
                  .queries = sequence,
                  .keys = sequence + past_of(node, past),
                  .width = width,
                  .value_width = value_width,
                  .count = static_cast<double>(node.integer("num_heads", 1))});
    work.kept_bytes += element_bytes(node, 0) * batch * sequence * columns;  // queries, keys and values exist only inside
    work.keep_output();
}

void microsoft_attention(const Node& node, const Rule&, Work& work) { projected(node, work, 4); }

void quantised_attention(const Node& node, const Rule&, Work& work) {
    projected(node, work, 8);
    work.features.compute_type = graph::DataType::i8;
}

/// com.microsoft.MultiHeadAttention: query, key, value apart; or [B, S, N, 3, H] in the query; or [B, L, N, 2, H] in the key.
void multi_head(const Node& node, const Rule&, Work& work) {
    Heads heads{.batch = node.dimension(0, 0), .queries = node.dimension(0, 1), .count = static_cast<double>(node.integer("num_heads", 1))};
    if (node.rank(0) == 5) {
        heads.keys = heads.queries;
        heads.width = heads.value_width = node.dimension(0, 2) * node.dimension(0, 4);
    } else {
        heads.width = node.dimension(0, 2);
        heads.keys = node.rank(1) == 5 ? node.dimension(1, 1) : sequence_of(node, 1);
        heads.value_width = node.rank(1) == 5 ? heads.width : width_of(node, 2);
    }
    heads.keys += past_of(node, 6);
    attend(work, heads);
    keep_operands(work);
}

/// com.microsoft.GroupQueryAttention: query [B, S, W], or queries, keys and values packed in it; the present key says the length attended.
void group_query(const Node& node, const Rule&, Work& work) {
    const auto count = static_cast<double>(node.integer("num_heads", 1)), groups = static_cast<double>(node.integer("kv_num_heads", 1));
    const double width = node.input(1) ? node.dimension(0, 2) : node.dimension(0, 2) * count / (count + 2 * groups);
    const double present = node.output(1) ? node.output_dimension(1, -2) : node.dimension(0, 1) + past_of(node, 3);
    const auto window = static_cast<double>(node.integer("local_window_size", -1));  // -1: all of them
    const double keys = window > 0 ? std::min(window, present) : present;
    attend(work, {.batch = node.dimension(0, 0),
                  .queries = node.dimension(0, 1),
                  .keys = keys,
                  .width = width,
                  .value_width = width,
                  .count = count});
    keep_operands(work);
}

/// ai.onnx Attention (opset 23): query, key, value as [B, S, W] with head counts as attributes, or [B, N, S, H].
void standard_attention(const Node& node, const Rule&, Work& work) {
    const double count = node.rank(0) == 4 ? node.dimension(0, 1) : static_cast<double>(node.integer("q_num_heads", 1));
    const double groups = node.rank(1) == 4 ? node.dimension(1, 1) : static_cast<double>(node.integer("kv_num_heads", 1));
    attend(work, {.batch = node.dimension(0, 0),
                  .queries = sequence_of(node, 0),
                  .keys = sequence_of(node, 1) + past_of(node, 4),
                  .width = width_of(node, 0),
                  .value_width = groups > 0 ? width_of(node, 2) * count / groups : 0,
                  .count = count});
    keep_operands(work);
}

/// One query a sequence against a cache that the key's past and the new key make.
void decoder_attention(const Node& node, const Rule&, Work& work) {
    const double keys = node.input(1) ? sequence_of(node, 1) : node.dimension(0, 1);
    const double width = node.dimension(0, 2);
    attend(work, {.batch = node.dimension(0, 0),
                  .queries = node.dimension(0, 1),
                  .keys = keys + past_of(node, 5),
                  .width = width,
                  .value_width = width,
                  .count = static_cast<double>(node.integer("num_heads", 1))});
    keep_operands(work);
}

/// Pairs turned by an angle that a table gives: two multiplications and an addition for each element.
void rotary(const Node& node, const Rule& rule, Work& work) {
    by_output_element(node, rule, work);
    work.keep_input(1);
}

}  // namespace

std::span<const Rule> attention_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "Attention", .operator_class = matrix, .apply = standard_attention},
        {.type = "RotaryEmbedding", .operator_class = elementwise, .apply = rotary, .flops = 3, .gradient = 3},
        {.type = "Attention", .operator_class = matrix, .apply = microsoft_attention, .domain = kMicrosoft},
        {.type = "QAttention", .operator_class = matrix, .apply = quantised_attention, .domain = kMicrosoft},
        {.type = "MultiHeadAttention", .operator_class = matrix, .apply = multi_head, .domain = kMicrosoft},
        {.type = "GroupQueryAttention", .operator_class = matrix, .apply = group_query, .domain = kMicrosoft},
        {.type = "DecoderMaskedMultiHeadAttention", .operator_class = matrix, .apply = decoder_attention, .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
