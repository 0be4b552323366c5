#include <gtest/gtest.h>

#include "node_builder.hpp"
#include "sluice/onnx/features/einsum.hpp"
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::test {
namespace {

using graph::OperatorClass;
namespace costs = sluice::onnx::features;

TEST(MatMul, ALinearLayer) {
    // [2, 128, 768] x [768, 3072]: 2 * 256 * 768 * 3072
    const auto features = NodeBuilder("MatMul").input({2, 128, 768}).parameter({768, 3072}).output({2, 128, 3072}).features();
    const double flops = 2.0 * 256 * 768 * 3072;
    EXPECT_EQ(features.operator_class, OperatorClass::matrix);
    EXPECT_EQ(features.compute_type, DataType::f32);
    EXPECT_EQ(features.flops, flops);
    EXPECT_EQ(features.rows, 256);
    EXPECT_EQ(features.read.count, 4 * 256 * 768);
    EXPECT_EQ(features.parameters_read.count, 4 * 768 * 3072);
    EXPECT_EQ(features.written.count, 4 * 256 * 3072);
    EXPECT_EQ(features.input_gradient_flops, flops);
    EXPECT_EQ(features.weight_gradient_flops, flops);
    EXPECT_EQ(features.kept_for_backward.count, 4 * 256 * 768) << "the input, for the weight's gradient; the weight is resident";
}

TEST(MatMul, TwoActivationsCountTwiceAsInputGradient) {
    // attention scores: [1, 12, 128, 64] x [1, 12, 64, 128]
    const auto features = NodeBuilder("MatMul").input({1, 12, 128, 64}).input({1, 12, 64, 128}).output({1, 12, 128, 128}).features();
    const double flops = 2.0 * 12 * 128 * 64 * 128;
    EXPECT_EQ(features.flops, flops);
    EXPECT_EQ(features.rows, 12 * 128);
    EXPECT_EQ(features.input_gradient_flops, 2 * flops);
    EXPECT_EQ(features.weight_gradient_flops, 0);
    EXPECT_EQ(features.kept_for_backward.count, 2 * 4 * 12 * 128 * 64);
}

TEST(MatMul, VectorsAreRowsAndColumns) {
    EXPECT_EQ(NodeBuilder("MatMul").input({8}).input({8, 3}).output({3}).features().flops, 2 * 8 * 3);
    EXPECT_EQ(NodeBuilder("MatMul").input({8}).input({8, 3}).output({3}).features().rows, 1);
    EXPECT_EQ(NodeBuilder("MatMul").input({5, 8}).input({8}).output({5}).features().flops, 2 * 5 * 8);
    EXPECT_EQ(NodeBuilder("MatMul").input({5, 8}).input({8}).output({5}).features().rows, 5);
    EXPECT_EQ(NodeBuilder("MatMul").input({8}).input({8}).output({}).features().flops, 2 * 8);
}

TEST(MatMul, HalfPrecisionAndIntegers) {
    const auto half =
        NodeBuilder("MatMul").input({4, 8}, DataType::f16).parameter({8, 2}, DataType::f16).output({4, 2}, DataType::f16).features();
    EXPECT_EQ(half.compute_type, DataType::f16);
    EXPECT_EQ(half.parameters_read.count, 2 * 16);
    const auto integer =
        NodeBuilder("MatMulInteger").input({4, 8}, DataType::i8).parameter({8, 2}, DataType::i8).output({4, 2}, DataType::i32).features();
    EXPECT_EQ(integer.compute_type, DataType::i8);
    EXPECT_EQ(integer.flops, 2 * 4 * 8 * 2);
    EXPECT_EQ(integer.weight_gradient_flops, 0);
    EXPECT_EQ(integer.kept_for_backward.count, 0);
}

TEST(QLinearMatMul, TheSecondMatrixIsTheFourthInput) {
    const auto features = NodeBuilder("QLinearMatMul")
                              .input({4, 8}, DataType::i8)
                              .parameter({})
                              .parameter({}, DataType::i8)
                              .parameter({8, 2}, DataType::i8)
                              .parameter({})
                              .parameter({}, DataType::i8)
                              .parameter({})
                              .parameter({}, DataType::i8)
                              .output({4, 2}, DataType::i8)
                              .features();
    EXPECT_EQ(features.flops, 2 * 4 * 8 * 2);
    EXPECT_EQ(features.rows, 4);
    EXPECT_EQ(features.compute_type, DataType::i8);
    EXPECT_EQ(features.parameters_read.count, 16 + 3 * 4 + 3);
}

TEST(Gemm, BiasAndTransposition) {
    const auto features =
        NodeBuilder("Gemm").input({128, 9216}).parameter({4096, 9216}).parameter({4096}).set("transB", 1).output({128, 4096}).features();
    const double flops = 2.0 * 128 * 9216 * 4096;
    EXPECT_EQ(features.flops, flops + 128 * 4096);
    EXPECT_EQ(features.rows, 128);
    EXPECT_EQ(features.input_gradient_flops, flops);
    EXPECT_EQ(features.weight_gradient_flops, flops + 128 * 4096);
    const auto transposed = NodeBuilder("Gemm").input({9, 5}).parameter({9, 7}).set("transA", 1).output({5, 7}).features();
    EXPECT_EQ(transposed.flops, 2 * 5 * 9 * 7);
    EXPECT_EQ(transposed.rows, 5);
}

TEST(MatMulNBits, PackedWeightsHaveNoGradientOfTheirOwn) {
    const auto features = NodeBuilder("MatMulNBits", "com.microsoft")
                              .input({1, 16, 4096}, DataType::f16)
                              .parameter({11008, 128, 16}, DataType::i8)
                              .parameter({11008 * 128}, DataType::f16)
                              .set("K", 4096)
                              .set("N", 11008)
                              .set("bits", 4)
                              .set("block_size", 32)
                              .output({1, 16, 11008}, DataType::f16)
                              .features();
    EXPECT_EQ(features.flops, 2.0 * 16 * 4096 * 11008);
    EXPECT_EQ(features.rows, 16);
    EXPECT_EQ(features.compute_type, DataType::f16);
    EXPECT_EQ(features.parameters_read.count, 11008 * 128 * 16 + 2 * 11008 * 128);
    EXPECT_EQ(features.input_gradient_flops, features.flops);
    EXPECT_EQ(features.weight_gradient_flops, 0);
    EXPECT_EQ(features.kept_for_backward.count, 0) << "without a weight gradient nothing needs the input";
}

TEST(Einsum, ABatchedProduct) {
    // bhid,bhjd->bhij
    const auto features = NodeBuilder("Einsum")
                              .set("equation", "bhid, bhjd -> bhij")
                              .input({2, 12, 128, 64})
                              .input({2, 12, 100, 64})
                              .output({2, 12, 128, 100})
                              .features();
    const double flops = 2.0 * 2 * 12 * 128 * 100 * 64;
    EXPECT_EQ(features.operator_class, OperatorClass::matrix);
    EXPECT_EQ(features.flops, flops);
    EXPECT_EQ(features.rows, 2 * 12 * 128);
    EXPECT_EQ(features.input_gradient_flops, 2 * flops);
    EXPECT_EQ(features.kept_for_backward.count, 4 * (2 * 12 * 128 * 64 + 2 * 12 * 100 * 64));
}

TEST(Einsum, WithoutAContractionIsNoMatrix) {
    const auto outer = NodeBuilder("Einsum").set("equation", "i,j->ij").input({30}).parameter({40}).output({30, 40}).features();
    EXPECT_EQ(outer.operator_class, OperatorClass::elementwise);
    EXPECT_EQ(outer.flops, 30 * 40);
    EXPECT_EQ(outer.rows, 0);
    const auto transposed = NodeBuilder("Einsum").set("equation", "ij->ji").input({30, 40}).output({40, 30}).features();
    EXPECT_EQ(transposed.operator_class, OperatorClass::movement);
    EXPECT_EQ(transposed.flops, 0);
    const auto summed = NodeBuilder("Einsum").set("equation", "ij->i").input({30, 40}).output({30}).features();
    EXPECT_EQ(summed.operator_class, OperatorClass::reduction);
    EXPECT_EQ(summed.flops, 30 * 40);
}

TEST(Einsum, EllipsisImplicitOutputAndDiagonals) {
    const auto linear =
        NodeBuilder("Einsum").set("equation", "...i,io->...o").input({2, 5, 7}).parameter({7, 3}).output({2, 5, 3}).features();
    EXPECT_EQ(linear.flops, 2 * 10 * 7 * 3);
    EXPECT_EQ(linear.rows, 10);
    EXPECT_EQ(linear.weight_gradient_flops, linear.flops);
    const auto implicit = NodeBuilder("Einsum").set("equation", "ij,jk").input({4, 5}).input({5, 6}).output({4, 6}).features();
    EXPECT_EQ(implicit.flops, 2 * 4 * 5 * 6);
    const auto broadcast =
        NodeBuilder("Einsum").set("equation", "...ij,...jk->...ik").input({8, 4, 5}).input({3, 1, 5, 6}).output({3, 8, 4, 6}).features();
    EXPECT_EQ(broadcast.flops, 2 * 24 * 4 * 5 * 6);
    const auto trace = NodeBuilder("Einsum").set("equation", "ii").input({9, 9}).output({}).features();
    EXPECT_EQ(trace.operator_class, OperatorClass::reduction);
    EXPECT_EQ(trace.flops, 9);
}

TEST(Einsum, ThreeOperandsAreTakenLeftToRight) {
    // ij,jk,kl->il: (3x4 by 4x5), then (3x5 by 5x6)
    const auto features =
        NodeBuilder("Einsum").set("equation", "ij,jk,kl->il").input({3, 4}).input({4, 5}).input({5, 6}).output({3, 6}).features();
    const double first = 2 * 3 * 4 * 5, second = 2 * 3 * 5 * 6;
    EXPECT_EQ(features.flops, first + second);
    EXPECT_EQ(features.input_gradient_flops, 2 * (first + second));
    EXPECT_EQ(features.rows, 3);
}

TEST(Einsum, AnEquationThatDoesNotFitHasNoFlops) {
    for (const char* equation : {"", "ij", "ij,jk,kl->il", "i,j->ij", "ij,jk->iz", "ij,j?->i", "ij,.jk->ik", "ij,jk->ik->"}) {
        const auto features = NodeBuilder("Einsum").set("equation", equation).input({3, 4}).input({4, 5}).output({3, 5}).features();
        EXPECT_EQ(features.flops, 0) << equation;
        EXPECT_EQ(features.read.count, 4 * (12 + 20)) << equation;
    }
}

TEST(Attention, ProjectionAndScoresOfBert) {
    // one layer of BERT-base, 128 tokens: 2*128*768*2304 + 2 * 2*128*128*768 + softmax over 12*128*128
    const auto features = NodeBuilder("Attention", "com.microsoft", 1)
                              .input({1, 128, 768})
                              .parameter({768, 2304})
                              .parameter({2304})
                              .set("num_heads", 12)
                              .output({1, 128, 768})
                              .features();
    const double projection = 2.0 * 128 * 768 * 2304, scores = 2.0 * 128 * 128 * 768, softmax = costs::kSoftmax * 12 * 128 * 128;
    EXPECT_EQ(features.operator_class, OperatorClass::matrix);
    EXPECT_EQ(features.flops, projection + 128 * 2304 + 2 * scores + softmax);
    EXPECT_EQ(features.weight_gradient_flops, projection + 128 * 2304);
    EXPECT_EQ(features.input_gradient_flops, projection + 4 * scores + costs::kSoftmaxGradient * 12 * 128 * 128);
    // harmonic mean of 128 rows (projection) and 12 * 128 rows (scores), weighted by FLOPs
    const double total = projection + 2 * scores;
    EXPECT_NEAR(static_cast<double>(features.rows), total / (projection / 128 + 2 * scores / 1536), 0.5);
    EXPECT_EQ(features.kept_for_backward.count, 4 * (128 * 768 + 128 * 2304 + 128 * 768 + 12 * 128));
}

TEST(Attention, MultiHeadEqualsItsPackedForms) {
    const auto apart = NodeBuilder("MultiHeadAttention", "com.microsoft", 1)
                           .input({2, 64, 512})
                           .input({2, 64, 512})
                           .input({2, 64, 512})
                           .set("num_heads", 8)
                           .output({2, 64, 512})
                           .features();
    const double flops = 2 * (2.0 * 2 * 64 * 64 * 512) + costs::kSoftmax * 2 * 8 * 64 * 64;
    EXPECT_EQ(apart.flops, flops);
    EXPECT_EQ(apart.rows, 2 * 8 * 64);
    const auto packed =
        NodeBuilder("MultiHeadAttention", "com.microsoft", 1).input({2, 64, 8, 3, 64}).set("num_heads", 8).output({2, 64, 512}).features();
    EXPECT_EQ(packed.flops, flops);
    EXPECT_EQ(packed.rows, apart.rows);
}

TEST(Attention, GroupedQueriesReadTheCache) {
    // one new token of 32 heads of 128 against 1024 cached ones in 8 groups
    const auto features = NodeBuilder("GroupQueryAttention", "com.microsoft", 1)
                              .input({1, 1, 4096}, DataType::f16)
                              .input({1, 1, 1024}, DataType::f16)
                              .input({1, 1, 1024}, DataType::f16)
                              .input({1, 8, 1023, 128}, DataType::f16)
                              .input({1, 8, 1023, 128}, DataType::f16)
                              .set("num_heads", 32)
                              .set("kv_num_heads", 8)
                              .output({1, 1, 4096}, DataType::f16)
                              .output({1, 8, 1024, 128}, DataType::f16)
                              .output({1, 8, 1024, 128}, DataType::f16)
                              .features();
    EXPECT_EQ(features.flops, 2 * 2.0 * 1024 * 4096 + costs::kSoftmax * 32 * 1024);
    EXPECT_EQ(features.rows, 32);
    EXPECT_EQ(features.read.count, 2 * (4096 + 2 * 1024 + 2 * 8 * 1023 * 128));
}

TEST(Attention, ALocalWindowLimitsTheKeys) {
    const auto make = [](std::int64_t window) {
        return NodeBuilder("GroupQueryAttention", "com.microsoft", 1)
            .input({1, 64, 256})
            .input({1, 64, 128})
            .input({1, 64, 128})
            .set("num_heads", 4)
            .set("kv_num_heads", 2)
            .set("local_window_size", window)
            .output({1, 64, 256})
            .features()
            .flops;
    };
    EXPECT_EQ(make(-1), 4.0 * 64 * 64 * 256 + costs::kSoftmax * 4 * 64 * 64);
    EXPECT_EQ(make(16), make(-1) / 4);
    EXPECT_EQ(make(1000), make(-1));
}

TEST(MixtureOfExperts, OnlyExpertsThatAreReachedAreRead) {
    const auto make = [](std::int64_t tokens) {
        return NodeBuilder("MoE", "com.microsoft", 1)
            .input({tokens, 64})
            .input({tokens, 8})
            .parameter({8, 64, 256})
            .no_input()
            .parameter({8, 256, 64})
            .set("k", 2)
            .output({tokens, 64})
            .features();
    };
    EXPECT_EQ(make(100).flops, 100 * 2 * (2.0 * 64 * 256 * 2 + 256));
    EXPECT_EQ(make(100).rows, 25);
    EXPECT_EQ(make(100).parameters_read.count, 4 * 2 * 8 * 64 * 256);
    EXPECT_EQ(make(1).parameters_read.count, 4 * 2 * 2 * 64 * 256) << "one token goes to two of eight experts";
    EXPECT_EQ(make(1).rows, 1);
    EXPECT_EQ(make(100).weight_gradient_flops, 100 * 2 * 2.0 * 64 * 256 * 2);
}

TEST(Attention, StandardOperatorInBothLayouts) {
    const double flops = 2 * (2.0 * 2 * 10 * 20 * 64) + costs::kSoftmax * 2 * 4 * 10 * 20;
    const auto flat = NodeBuilder("Attention", "", 23)
                          .input({2, 10, 64})
                          .input({2, 20, 64})
                          .input({2, 20, 64})
                          .set("q_num_heads", 4)
                          .set("kv_num_heads", 4)
                          .output({2, 10, 64})
                          .features();
    EXPECT_EQ(flat.flops, flops);
    const auto heads = NodeBuilder("Attention", "", 23)
                           .input({2, 4, 10, 16})
                           .input({2, 4, 20, 16})
                           .input({2, 4, 20, 16})
                           .output({2, 4, 10, 16})
                           .features();
    EXPECT_EQ(heads.flops, flops);
}

TEST(Lstm, BothDirections) {
    // sequence 50, batch 8, input 100, hidden 64, two directions
    const auto features = NodeBuilder("LSTM")
                              .input({50, 8, 100})
                              .parameter({2, 256, 100})
                              .parameter({2, 256, 64})
                              .parameter({2, 512})
                              .set("hidden_size", 64)
                              .set("direction", "bidirectional")
                              .output({50, 2, 8, 64})
                              .features();
    const double input = 2.0 * 50 * 8 * 2 * 256 * 100, recurrence = 2.0 * 50 * 8 * 2 * 256 * 64, bias = 2.0 * 50 * 8 * 2 * 256;
    const double units = 50 * 8 * 2 * 64;
    EXPECT_EQ(features.operator_class, OperatorClass::matrix);
    EXPECT_EQ(features.flops, input + recurrence + bias + units * (3 * costs::kSigmoid + 2 * costs::kTanh + 4));
    EXPECT_EQ(features.weight_gradient_flops, input + recurrence + bias);
    EXPECT_GE(features.input_gradient_flops, input + recurrence);
    // all steps' inputs are one product of 400 rows, each step's recurrence one of 8
    EXPECT_NEAR(static_cast<double>(features.rows), (input + recurrence) / (input / 400 + recurrence / 8), 0.5);
    EXPECT_EQ(features.kept_for_backward.count, 4 * (50 * 8 * 100 + 50 * 2 * 8 * 64) + 4 * 6 * static_cast<std::int64_t>(units));
}

TEST(Gru, ThreeGatesAndTheResetAfterTheProduct) {
    const auto make = [](std::int64_t after) {
        return NodeBuilder("GRU")
            .input({10, 4, 32})
            .parameter({1, 48, 32})
            .parameter({1, 48, 16})
            .set("hidden_size", 16)
            .set("linear_before_reset", after)
            .output({10, 1, 4, 16})
            .features();
    };
    const double products = 2.0 * 10 * 4 * 48 * (32 + 16), units = 10 * 4 * 16;
    EXPECT_EQ(make(0).flops, products + units * (2 * costs::kSigmoid + costs::kTanh + 5));
    EXPECT_EQ(make(1).flops, make(0).flops + units);
    EXPECT_EQ(make(1).kept_for_backward.count, make(0).kept_for_backward.count + 4 * 640)
        << "the recurrent part of the candidate is kept too";
}

TEST(Rnn, BatchFirst) {
    const auto features = NodeBuilder("RNN")
                              .input({4, 10, 32})
                              .parameter({1, 16, 32})
                              .parameter({1, 16, 16})
                              .set("hidden_size", 16)
                              .set("layout", 1)
                              .output({4, 10, 1, 16})
                              .features();
    EXPECT_EQ(features.flops, 2.0 * 10 * 4 * 16 * 48 + 640 * (costs::kTanh + 1));
    const double input = 32, recurrence = 16;
    EXPECT_NEAR(static_cast<double>(features.rows), 48 / (input / 40 + recurrence / 4), 0.5);
}

}  // namespace
}  // namespace sluice::onnx::test
