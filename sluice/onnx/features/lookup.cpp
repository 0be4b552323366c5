// Gather, Scatter and what embeds: only the rows looked up are read, of an activation or a table of parameters alike. Which rows is data:
// repeated ones are counted each time, at most the whole table.
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

/// Replaces the bytes of input `i`, counted whole, by what `rows` says, when that is less.
void read_rows(const Node& node, std::size_t i, std::optional<Bytes> rows, Work& work) {
    const auto whole = node.input(i) ? bytes_of(*node.input(i)) : std::nullopt;
    if (!whole || !rows || *rows >= *whole) return;
    for (std::size_t j = 0; j < node.input_count(); ++j) {
        if (j != i && !node.input_name(i).empty() && node.input_name(j) == node.input_name(i)) return;  // read whole as another operand
    }
    (node.input(i)->parameter ? work.features.parameters_read : work.features.read) += *rows - *whole;
}

std::optional<Bytes> output_bytes(const Node& node, std::size_t i) { return node.output(i) ? bytes_of(*node.output(i)) : std::nullopt; }

/// Rows of an activation that are known beforehand are a slice.
void gather(const Node& node, const Rule&, Work& work) {
    if (node.activation(0) && node.input(1) && node.input(1)->parameter) work.features.operator_class = graph::OperatorClass::movement;
    read_rows(node, 0, output_bytes(node, 0), work);
    work.gradient(node, 0, node.output_elements());  // scattered back by adding
    work.keep_input(1);
}

/// Four-bit rows with scales: unpacked by a multiply-add an element.
void gather_quantised(const Node& node, const Rule&, Work& work) {
    const auto count = node.output(0) ? element_count(node.output(0)->shape) : std::nullopt;
    read_rows(node, 0, count ? graph::bytes_of(graph::DataType::i4, *count) : std::nullopt, work);
    work.features.flops = 2 * node.output_elements();
}

/// The data are copied, then the updates written over them (or combined with them). The gradient is a gather, without arithmetic.
void scatter(const Node& node, const Rule&, Work& work) {
    if (node.text("reduction", "none") != "none") work.features.flops = node.elements(2);
    work.keep_input(1);
}

/// Word, position and segment rows added, then a layer norm. Inputs: ids, segment ids, three tables, scale, shift, mask.
void embed_layer_normalisation(const Node& node, const Rule&, Work& work) {
    const double elements = node.output_elements();
    const auto rows = output_bytes(node, 0);
    for (const std::size_t table : {std::size_t{2}, std::size_t{3}, std::size_t{4}}) {
        read_rows(node, table, rows, work);
        work.gradient(node, table, elements);
    }
    work.features.flops = (kNormalise + (node.input(4) ? 2 : 1)) * elements;
    work.features.input_gradient_flops += kNormaliseGradient * elements;
    work.gradient(node, 5, kNormaliseWeightGradient * elements);
    work.gradient(node, 6, elements);
    work.keep_input(0);
    work.keep_input(1);
    const double width = node.output_dimension(0, -1);
    if (rows) work.kept_bytes += static_cast<double>(rows->count);  // the sum
    work.kept_elements_f32 += width > 0 ? 2 * elements / width : 0;
}

}  // namespace

std::span<const Rule> lookup_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "Gather", .operator_class = embedding, .apply = gather},
        {.type = "GatherElements", .operator_class = embedding, .apply = gather},
        {.type = "GatherND", .operator_class = embedding, .apply = gather},
        {.type = "Scatter", .operator_class = embedding, .apply = scatter},
        {.type = "ScatterElements", .operator_class = embedding, .apply = scatter},
        {.type = "ScatterND", .operator_class = embedding, .apply = scatter},
        {.type = "GatherBlockQuantized", .operator_class = embedding, .apply = gather_quantised, .domain = kMicrosoft},
        {.type = "EmbedLayerNormalization", .operator_class = embedding, .apply = embed_layer_normalisation, .domain = kMicrosoft},
        {.type = "QEmbedLayerNormalization", .operator_class = embedding, .apply = embed_layer_normalisation, .domain = kMicrosoft},
        {.type = "ArrayFeatureExtractor", .operator_class = embedding, .apply = gather, .domain = kMl},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
