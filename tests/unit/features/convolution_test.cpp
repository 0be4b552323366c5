#include <gtest/gtest.h>

#include "node_builder.hpp"
#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::test {
namespace {

using graph::OperatorClass;
namespace costs = sluice::onnx::features;

TEST(Conv, TheFirstLayerOfResNet50) {
    // 7x7, 3 -> 64 channels, 112x112 out: 118,013,952 multiply-adds
    const auto features =
        NodeBuilder("Conv").input({1, 3, 224, 224}).parameter({64, 3, 7, 7}).parameter({64}).output({1, 64, 112, 112}).features();
    const double flops = 2 * 118013952.0, bias = 64 * 112 * 112;
    EXPECT_EQ(features.operator_class, OperatorClass::convolution);
    EXPECT_EQ(features.flops, flops + bias);
    EXPECT_EQ(features.rows, 112 * 112);
    EXPECT_EQ(features.input_gradient_flops, flops);
    EXPECT_EQ(features.weight_gradient_flops, flops + bias);
    EXPECT_EQ(features.read.count, 4 * 3 * 224 * 224);
    EXPECT_EQ(features.parameters_read.count, 4 * (64 * 3 * 49 + 64));
    EXPECT_EQ(features.written.count, 4 * 64 * 112 * 112);
    EXPECT_EQ(features.kept_for_backward.count, 4 * 3 * 224 * 224);
}

TEST(Conv, GroupsAndDepthwise) {
    const auto grouped =
        NodeBuilder("Conv").input({2, 64, 14, 14}).parameter({128, 16, 3, 3}).set("group", 4).output({2, 128, 14, 14}).features();
    EXPECT_EQ(grouped.operator_class, OperatorClass::convolution);
    EXPECT_EQ(grouped.flops, 2.0 * 2 * 128 * 196 * 16 * 9);
    EXPECT_EQ(grouped.rows, 2 * 196);
    const auto depthwise =
        NodeBuilder("Conv").input({1, 96, 56, 56}).parameter({96, 1, 3, 3}).set("group", 96).output({1, 96, 56, 56}).features();
    EXPECT_EQ(depthwise.operator_class, OperatorClass::depthwise);
    EXPECT_EQ(depthwise.flops, 2.0 * 96 * 56 * 56 * 9);
    const auto one_channel = NodeBuilder("Conv").input({1, 1, 28, 28}).parameter({8, 1, 3, 3}).output({1, 8, 26, 26}).features();
    EXPECT_EQ(one_channel.operator_class, OperatorClass::convolution) << "one input channel without groups is dense";
}

TEST(Conv, OneAndThreeSpatialAxes) {
    EXPECT_EQ(NodeBuilder("Conv").input({1, 80, 3000}).parameter({512, 80, 3}).output({1, 512, 3000}).features().flops,
              2.0 * 512 * 3000 * 240);
    EXPECT_EQ(NodeBuilder("Conv").input({1, 3, 16, 8, 8}).parameter({4, 3, 3, 3, 3}).output({1, 4, 14, 6, 6}).features().rows, 14 * 36);
}

TEST(ConvTranspose, EveryInputElementIsSpreadOverTheKernel) {
    // [1, 64, 8, 8] -> [1, 32, 16, 16], weights [64, 32, 4, 4]
    const auto features =
        NodeBuilder("ConvTranspose").input({1, 64, 8, 8}).parameter({64, 32, 4, 4}).parameter({32}).output({1, 32, 16, 16}).features();
    EXPECT_EQ(features.flops, 2.0 * 64 * 64 * 32 * 16 + 32 * 256);
    EXPECT_EQ(features.rows, 64);
}

TEST(Conv, QuantisedFormsComputeInIntegers) {
    const auto linear = NodeBuilder("QLinearConv")
                            .input({1, 8, 10, 10}, DataType::i8)
                            .parameter({})
                            .parameter({}, DataType::i8)
                            .parameter({16, 8, 3, 3}, DataType::i8)
                            .parameter({16})
                            .parameter({16}, DataType::i8)
                            .parameter({})
                            .parameter({}, DataType::i8)
                            .parameter({16}, DataType::i32)
                            .output({1, 16, 8, 8}, DataType::i8)
                            .features();
    EXPECT_EQ(linear.compute_type, DataType::i8);
    EXPECT_EQ(linear.flops, 2.0 * 16 * 64 * 72 + 16 * 64);
    EXPECT_EQ(linear.weight_gradient_flops + linear.input_gradient_flops, 0);
    const auto integer = NodeBuilder("ConvInteger")
                             .input({1, 8, 10, 10}, DataType::i8)
                             .parameter({16, 8, 3, 3}, DataType::i8)
                             .output({1, 16, 8, 8}, DataType::i32)
                             .features();
    EXPECT_EQ(integer.flops, 2.0 * 16 * 64 * 72);
    EXPECT_EQ(integer.compute_type, DataType::i8);
}

TEST(DeformConv, SamplesBeforeItMultiplies) {
    const auto features = NodeBuilder("DeformConv", "", 19)
                              .input({1, 4, 10, 10})
                              .parameter({6, 4, 3, 3})
                              .input({1, 18, 8, 8})
                              .output({1, 6, 8, 8})
                              .features();
    EXPECT_EQ(features.flops, 2.0 * 6 * 64 * 36 + 8.0 * 64 * 4 * 9);
    EXPECT_EQ(features.kept_for_backward.count, 4 * (400 + 18 * 64));
}

TEST(FusedConv, AddsAndActivates) {
    const auto features = NodeBuilder("FusedConv", "com.microsoft", 1)
                              .input({1, 4, 10, 10})
                              .parameter({6, 4, 3, 3})
                              .parameter({6})
                              .input({1, 6, 8, 8})
                              .set("activation", "Relu")
                              .output({1, 6, 8, 8})
                              .features();
    EXPECT_EQ(features.flops, 2.0 * 6 * 64 * 36 + 3 * 384);
    EXPECT_EQ(features.kept_for_backward.count, 4 * (400 + 384)) << "the input and the activated output";
}

TEST(Pooling, WindowsAndWholeMaps) {
    const auto max = NodeBuilder("MaxPool").input({1, 64, 112, 112}).set("kernel_shape", Shape{3, 3}).output({1, 64, 56, 56}).features();
    EXPECT_EQ(max.operator_class, OperatorClass::reduction);
    EXPECT_EQ(max.flops, 9.0 * 64 * 56 * 56);
    EXPECT_EQ(max.kept_for_backward.count, 8 * 64 * 56 * 56) << "where each maximum was";
    EXPECT_EQ(max.rows, 0);
    const auto average = NodeBuilder("AveragePool").input({1, 8, 8, 8}).set("kernel_shape", Shape{2, 2}).output({1, 8, 4, 4}).features();
    EXPECT_EQ(average.flops, 4 * 128);
    EXPECT_EQ(average.kept_for_backward.count, 0);
    EXPECT_EQ(NodeBuilder("GlobalAveragePool").input({1, 2048, 7, 7}).output({1, 2048, 1, 1}).features().flops, 2048 * 49);
    EXPECT_EQ(NodeBuilder("GlobalMaxPool").input({1, 2048, 7, 7}).output({1, 2048, 1, 1}).features().flops, 2048 * 49);
    EXPECT_EQ(NodeBuilder("LpPool").input({1, 8, 8, 8}).set("kernel_shape", Shape{2, 2}).output({1, 8, 4, 4}).features().flops,
              128 * (8 + costs::kSquareRoot));
}

TEST(RoiAlign, ReadsOnlyWhatItSamples) {
    // 10 regions of 7x7, 2x2 samples each of 256 channels from a 200x200 map
    const auto features = NodeBuilder("RoiAlign")
                              .input({1, 256, 200, 200})
                              .input({10, 4})
                              .input({10}, DataType::i64)
                              .set("sampling_ratio", 2)
                              .output({10, 256, 7, 7})
                              .features();
    const double samples = 10 * 256 * 49 * 4;
    EXPECT_EQ(features.flops, 9 * samples);
    EXPECT_EQ(features.read.count, 4 * 4 * static_cast<std::int64_t>(samples) + 10 * 16 + 10 * 8);
}

TEST(Resize, NearestMovesLinearAndCubicCompute) {
    const auto make = [](const char* mode) {
        return NodeBuilder("Resize").input({1, 3, 10, 10}).no_input().parameter({4}).set("mode", mode).output({1, 3, 20, 20}).features();
    };
    EXPECT_EQ(make("nearest").operator_class, OperatorClass::movement);
    EXPECT_EQ(make("nearest").flops, 0);
    EXPECT_EQ(make("linear").operator_class, OperatorClass::elementwise);
    EXPECT_EQ(make("linear").flops, 2.0 * 4 * 1200);
    EXPECT_EQ(make("cubic").flops, 2.0 * 16 * 1200);
    EXPECT_EQ(make("linear").input_gradient_flops, make("linear").flops);
    EXPECT_EQ(
        NodeBuilder("Upsample", "", 9).input({1, 3, 10, 10}).parameter({4}).set("mode", "linear").output({1, 3, 20, 20}).features().flops,
        8 * 1200);
}

TEST(GridSample, FourPointsForEachElement) {
    const auto features =
        NodeBuilder("GridSample", "", 20).input({1, 16, 32, 32}).input({1, 8, 8, 2}).set("mode", "linear").output({1, 16, 8, 8}).features();
    EXPECT_EQ(features.flops, 2.0 * 4 * 16 * 64 + 4 * 128);
}

TEST(AffineGrid, AProductWithThreeCoordinates) {
    const auto features = NodeBuilder("AffineGrid", "", 20).input({2, 2, 3}).constant({2, 3, 5, 6}).output({2, 5, 6, 2}).features();
    EXPECT_EQ(features.flops, 2.0 * 120 * 3);
    EXPECT_EQ(features.rows, 60);
    EXPECT_EQ(features.input_gradient_flops, features.flops);
}

TEST(Fourier, FiveNLogN) {
    const auto full = NodeBuilder("DFT", "", 17).input({4, 1024, 2}).set("axis", 1).output({4, 1024, 2}).features();
    EXPECT_EQ(full.flops, 4 * 5.0 * 1024 * 10);
    const auto real =
        NodeBuilder("DFT", "", 20).input({4, 1024, 1}).no_input().constant({1}).set("onesided", 1).output({4, 513, 2}).features();
    EXPECT_EQ(real.flops, 4 * 2.5 * 1024 * 10);
    const auto frames = NodeBuilder("STFT", "", 17)
                            .input({1, 16000, 1})
                            .constant({160})
                            .parameter({512})
                            .constant({512})
                            .output({1, 97, 257, 2})
                            .features();
    EXPECT_EQ(frames.flops, 97 * (2.5 * 512 * 9 + 512));
}

}  // namespace
}  // namespace sluice::onnx::test
