// Reductions, sorting and selection: FLOPs a first-input element; sorting n log n comparisons.
#include <algorithm>
#include <cmath>

#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

double log2_at_least_one(double value) { return value > 2 ? std::log2(value) : 1; }

/// Where each element of the first output came from: an output of the node, or the same bytes inside it when nobody reads that.
void keep_indices(const Node& node, std::size_t output, Work& work) {
    if (node.output(output)) {
        work.keep_output(output);
    } else {
        work.kept_bytes += 8 * node.output_elements();
    }
}

/// A selection heap of the k best: log2 k comparisons an element.
void top_k(const Node& node, const Rule&, Work& work) {
    const double k = node.output_dimension(0, node.integer("axis", -1));
    work.features.flops = node.elements(0) * log2_at_least_one(k);
    work.gradient(node, 0, node.output_elements());
    keep_indices(node, 1, work);
}

void unique(const Node& node, const Rule&, Work& work) {
    work.features.flops = node.elements(0) * log2_at_least_one(node.elements(0));
    work.gradient(node, 0, node.output_elements());
    keep_indices(node, 2, work);
}

/// Boxes [B, N, 4], scores [B, C, N]: a sort for each class, then every candidate against those selected (16 FLOPs for the overlap).
void non_maximum_suppression(const Node& node, const Rule&, Work& work) {
    const double boxes = node.dimension(0, 1), lists = node.dimension(1, 0) * node.dimension(1, 1);
    const auto limit = node.constant(2);
    const double selected = limit ? std::clamp(static_cast<double>(*limit), 0.0, boxes) : boxes;
    work.features.flops = lists * boxes * (log2_at_least_one(boxes) + 16 * selected);
}

/// One cumulative distribution a row, then a search in it for each sample.
void multinomial(const Node& node, const Rule&, Work& work) {
    work.features.flops = (kExp + 1) * node.elements(0) + node.output_elements() * log2_at_least_one(node.dimension(0, 1));
}

}  // namespace

std::span<const Rule> reduction_rules() {
    using enum graph::OperatorClass;
    constexpr Kept both = Kept::inputs_and_output;
    static constexpr Rule kRules[] = {
        {.type = "ReduceSum", .operator_class = reduction, .apply = by_input_element, .flops = 1},
        {.type = "ReduceMean", .operator_class = reduction, .apply = by_input_element, .flops = 1, .gradient = 1},
        {.type = "ReduceMax", .operator_class = reduction, .apply = by_input_element, .flops = 1, .gradient = 1, .kept = both},
        {.type = "ReduceMin", .operator_class = reduction, .apply = by_input_element, .flops = 1, .gradient = 1, .kept = both},
        {.type = "ReduceProd", .operator_class = reduction, .apply = by_input_element, .flops = 1, .gradient = 1 + kDivide, .kept = both},
        {.type = "ReduceL1", .operator_class = reduction, .apply = by_input_element, .flops = 2, .gradient = 2, .kept = Kept::inputs},
        {.type = "ReduceL2", .operator_class = reduction, .apply = by_input_element, .flops = 2, .gradient = 1, .kept = both},
        {.type = "ReduceSumSquare",
         .operator_class = reduction,
         .apply = by_input_element,
         .flops = 2,
         .gradient = 2,
         .kept = Kept::inputs},
        {.type = "ReduceLogSum", .operator_class = reduction, .apply = by_input_element, .flops = 1, .gradient = 1, .kept = Kept::output},
        {.type = "ReduceLogSumExp",
         .operator_class = reduction,
         .apply = by_input_element,
         .flops = kExp + 3,
         .gradient = kExp + 2,
         .kept = both},
        {.type = "ArgMax", .operator_class = reduction, .apply = by_input_element, .flops = 1},
        {.type = "ArgMin", .operator_class = reduction, .apply = by_input_element, .flops = 1},
        {.type = "CumSum", .operator_class = reduction, .apply = by_input_element, .flops = 1, .gradient = 1},
        {.type = "NonZero", .operator_class = reduction, .apply = by_input_element, .flops = 1},
        {.type = "TopK", .operator_class = reduction, .apply = top_k},
        {.type = "Unique", .operator_class = reduction, .apply = unique},
        {.type = "NonMaxSuppression", .operator_class = reduction, .apply = non_maximum_suppression},
        {.type = "Multinomial", .operator_class = reduction, .apply = multinomial},
        {.type = "QLinearReduceMean", .operator_class = reduction, .apply = by_input_element, .flops = 1, .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
