// LSTM, GRU, RNN. Gates × hidden rows of the weights tell everything: W [D, G·H, I], R [D, G·H, H], D directions.
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

struct Cell {
    double pointwise = 0;  // FLOPs of the gates for each hidden unit and step
    double kept = 0;       // values kept for each hidden unit and step: gates and state
};

void recurrent(const Node& node, Work& work, const Cell& cell) {
    const bool batch_first = node.integer("layout", 0) != 0;
    const double steps = node.dimension(0, batch_first ? 1 : 0), batch = node.dimension(0, batch_first ? 0 : 1);
    const double directions = node.dimension(1, 0);
    const double gates = node.dimension(1, 1);  // gates × hidden
    const double hidden = static_cast<double>(node.integer("hidden_size", static_cast<std::int64_t>(node.dimension(2, 2))));
    // All steps' inputs are one product of steps × batch rows; the recurrence is one product a step, of batch rows.
    const double per_column = 2 * steps * batch * directions * gates;
    work.product(node, per_column * node.dimension(0, 2), steps * batch, 0, 1);
    const double recurrence = per_column * hidden;
    work.forward_product(recurrence, batch);
    work.features.input_gradient_flops += recurrence;  // of the hidden state of the step before
    work.gradient(node, 2, recurrence);
    if (node.input(3)) {  // two biases, each added for each gate
        work.features.flops += per_column;
        work.gradient(node, 3, per_column);
    }
    const double units = steps * batch * directions * hidden;
    work.features.flops += cell.pointwise * units;
    work.features.input_gradient_flops += 2 * cell.pointwise * units;
    work.kept_elements_f32 += cell.kept * units;
    work.keep_output();
}

// LSTM: three sigmoids, two tanh, four products and sums. GRU: two sigmoids, one tanh, four; applying the reset after the product adds one
// bias sum and keeps the recurrent part. The values kept are the gates and, for LSTM, the cell state and its tanh.
void lstm(const Node& node, const Rule&, Work& work) {
    recurrent(node, work, {.pointwise = 3 * kSigmoid + 2 * kTanh + 4 + (node.input(7) ? 6 : 0), .kept = 6});
}
void gru(const Node& node, const Rule&, Work& work) {
    const bool after = node.integer("linear_before_reset", 0) != 0;
    recurrent(node, work, {.pointwise = 2 * kSigmoid + kTanh + 5 + (after ? 1 : 0), .kept = after ? 4.0 : 3.0});
}
void rnn(const Node& node, const Rule&, Work& work) { recurrent(node, work, {.pointwise = kTanh + 1, .kept = 0}); }

/// com.microsoft.DynamicQuantizeLSTM: integer weights [D, I, G·H] and [D, H, G·H].
void quantised_lstm(const Node& node, const Rule&, Work& work) {
    const double steps = node.dimension(0, 0), batch = node.dimension(0, 1), gates = node.dimension(1, 2);
    const double per_column = 2 * steps * batch * node.dimension(1, 0) * gates, hidden = gates / 4;
    work.product(node, per_column * node.dimension(0, 2), steps * batch, 0, 1);
    work.product(node, per_column * hidden, batch, 0, 2);
    work.features.flops += (3 * kSigmoid + 2 * kTanh + 4) * steps * batch * node.dimension(1, 0) * hidden;
    work.features.compute_type = graph::DataType::i8;
}

}  // namespace

std::span<const Rule> recurrent_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "LSTM", .operator_class = matrix, .apply = lstm},
        {.type = "GRU", .operator_class = matrix, .apply = gru},
        {.type = "RNN", .operator_class = matrix, .apply = rnn},
        {.type = "DynamicQuantizeLSTM", .operator_class = matrix, .apply = quantised_lstm, .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
