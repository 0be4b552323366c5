// Matrix products. FLOPs: two for each multiply-add of the product; bias one an output element; requantisation not counted.
#include <algorithm>
#include <ranges>

#include "sluice/onnx/features/einsum.hpp"
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

/// a[…, M, K] · b[…, K, N], one-dimensional operands as numpy has them; `transposed`: the operator stores b as […, N, K].
void matmul_of(const Node& node, Work& work, std::size_t a, std::size_t b, bool a_transposed = false, bool b_transposed = false) {
    const double inner = node.dimension(a, a_transposed ? -2 : -1);
    const double columns = node.rank(b) < 2 ? 1 : node.dimension(b, b_transposed ? -2 : -1);
    const double output = node.output_elements();
    work.product(node, 2 * output * inner, columns > 0 ? output / columns : 0, a, b);
}

void matmul(const Node& node, const Rule&, Work& work) { matmul_of(node, work, 0, 1); }

void fused_matmul(const Node& node, const Rule&, Work& work) {
    matmul_of(node, work, 0, 1, node.integer("transA", 0) != 0, node.integer("transB", 0) != 0);
}

void gemm(const Node& node, const Rule&, Work& work) {
    matmul_of(node, work, 0, 1, node.integer("transA", 0) != 0, node.integer("transB", 0) != 0);
    add_bias(node, 2, work);
}

void integer_matmul(const Node& node, const Rule&, Work& work) {
    matmul_of(node, work, 0, 1);
    work.features.compute_type = graph::DataType::i8;
}

/// QLinearMatMul: a, its scale and zero point, then b.
void quantised_matmul(const Node& node, const Rule&, Work& work) {
    matmul_of(node, work, 0, 3);
    work.features.compute_type = graph::DataType::i8;
}

void quantised_gemm(const Node& node, const Rule&, Work& work) {
    matmul_of(node, work, 0, 3, node.integer("transA", 0) != 0, node.integer("transB", 0) != 0);
    work.features.compute_type = graph::DataType::i8;
}

/// Weights packed below a byte, unpacked on the way in: arithmetic is in the activation's type. K and N are attributes.
void packed_matmul(const Node& node, const Rule&, Work& work) {
    const auto inner = static_cast<double>(node.integer("K", 0)), columns = static_cast<double>(node.integer("N", 0));
    const double rows = columns > 0 ? node.output_elements() / columns : 0;
    work.product(node, 2 * rows * inner * columns, rows, 0, 1);
}

void einsum(const Node& node, const Rule&, Work& work) {
    std::vector<std::span<const std::int64_t>> shapes;
    for (std::size_t i = 0; i < node.input_count(); ++i) shapes.push_back(node.shape(i));
    const auto steps = einsum_steps(node.text("equation", ""), shapes);
    if (!steps) return;
    const bool contracts = std::ranges::any_of(*steps, [](const EinsumStep& step) { return step.contracts && step.binary; });
    if (!contracts) {
        const bool sums = std::ranges::any_of(*steps, [](const EinsumStep& step) { return step.contracts; });
        work.features.operator_class = node.input_count() > 1 ? graph::OperatorClass::elementwise
                                       : sums                 ? graph::OperatorClass::reduction
                                                              : graph::OperatorClass::movement;
    }
    bool before = node.differentiable(0);  // whether anything to the left needs a gradient
    for (std::size_t i = 0; i < steps->size(); ++i) {
        const EinsumStep& step = (*steps)[i];
        const double flops = step.binary ? (step.contracts ? 2 : 1) * step.volume : step.contracts ? step.volume : 0;
        if (contracts && step.binary) {
            work.forward_product(flops, step.rows);
        } else {
            work.features.flops += flops;
        }
        if (!step.binary) continue;
        work.gradient(node, i + 1, flops);
        if (i == 0) {
            work.gradient(node, 0, flops);
        } else if (before) {
            work.features.input_gradient_flops += flops;
        }
        before |= node.differentiable(i + 1);
    }
    // An operand is kept when some other one needs a gradient.
    const auto count = static_cast<std::size_t>(
        std::ranges::count_if(std::views::iota(std::size_t{0}, node.input_count()), [&](std::size_t i) { return node.differentiable(i); }));
    for (std::size_t i = 0; i < node.input_count(); ++i) {
        if (count > (node.differentiable(i) ? 1U : 0U)) work.keep_input(i);
    }
}

/// com.microsoft.MoE: each of the tokens goes through k experts [E, in, out] of two layers, or three when they are gated. Experts that no
/// token can reach are not read; the rows of one product are the tokens that an expert gets when they spread evenly.
void mixture_of_experts(const Node& node, const Rule&, Work& work) {
    const double width = node.dimension(0, -1), experts = node.dimension(2, 0);
    if (!(width > 0) || !(experts > 0)) return;
    const double routed = node.elements(0) / width * static_cast<double>(node.integer("k", 1));
    const double used = std::min(routed, experts);
    if (!(used > 0)) return;
    for (const std::size_t weights : {2U, 4U, 6U}) {
        if (!node.input(weights)) continue;
        const double flops = 2 * routed * node.elements(weights) / experts;
        work.forward_product(flops, routed / used);
        work.gradient(node, 0, flops);
        work.gradient(node, weights, flops);
        const auto bytes = bytes_of(*node.input(weights));
        if (!bytes || used == experts) continue;
        const auto unread = static_cast<std::int64_t>(static_cast<double>(bytes->count) / experts * (experts - used));
        (node.input(weights)->parameter ? work.features.parameters_read : work.features.read) -= Bytes{unread};
    }
    const double inner = node.dimension(2, 2);
    work.features.flops += routed * inner;  // the activation between the layers, at least
    work.keep_input(0);
    work.kept_bytes += element_bytes(node, 0) * routed * inner * (node.input(6) ? 3 : 2);  // what goes into the layers after the first
}

/// LU decomposition, and substitution for the inverse. The gradient needs the inverse: another 2n³, and two products for Inverse.
void square_matrix(const Node& node, const Rule& rule, Work& work) {
    const double order = node.dimension(0, -1);
    work.forward_product(rule.flops * node.elements(0) * order, order > 0 ? node.elements(0) / order : 0);
    work.gradient(node, 0, rule.gradient * node.elements(0) * order);
    keep(node, rule.kept, work);
}

}  // namespace

std::span<const Rule> matrix_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "MatMul", .operator_class = matrix, .apply = matmul},
        {.type = "Gemm", .operator_class = matrix, .apply = gemm},
        {.type = "MatMulInteger", .operator_class = matrix, .apply = integer_matmul},
        {.type = "QLinearMatMul", .operator_class = matrix, .apply = quantised_matmul},
        {.type = "Einsum", .operator_class = matrix, .apply = einsum},
        {.type = "Det", .operator_class = matrix, .apply = square_matrix, .flops = 2.0 / 3, .gradient = 2, .kept = Kept::inputs_and_output},
        {.type = "FusedMatMul", .operator_class = matrix, .apply = fused_matmul, .domain = kMicrosoft},
        {.type = "FusedGemm", .operator_class = matrix, .apply = gemm, .domain = kMicrosoft},
        {.type = "GemmFastGelu", .operator_class = matrix, .apply = gemm, .domain = kMicrosoft},
        {.type = "GemmFloat8", .operator_class = matrix, .apply = gemm, .domain = kMicrosoft},
        {.type = "TransposeMatMul", .operator_class = matrix, .apply = fused_matmul, .domain = kMicrosoft},
        {.type = "MatMulInteger16", .operator_class = matrix, .apply = matmul, .domain = kMicrosoft},
        {.type = "MatMulIntegerToFloat", .operator_class = matrix, .apply = integer_matmul, .domain = kMicrosoft},
        {.type = "DynamicQuantizeMatMul", .operator_class = matrix, .apply = integer_matmul, .domain = kMicrosoft},
        {.type = "QGemm", .operator_class = matrix, .apply = quantised_gemm, .domain = kMicrosoft},
        {.type = "MatMulNBits", .operator_class = matrix, .apply = packed_matmul, .domain = kMicrosoft},
        {.type = "MatMulBnb4", .operator_class = matrix, .apply = packed_matmul, .domain = kMicrosoft},
        {.type = "MoE", .operator_class = matrix, .apply = mixture_of_experts, .domain = kMicrosoft},
        {.type = "Inverse",
         .operator_class = matrix,
         .apply = square_matrix,
         .flops = 2,
         .gradient = 4,
         .kept = Kept::output,
         .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
