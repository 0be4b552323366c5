#include "sluice/graph/summary.hpp"

#include <gtest/gtest.h>

#include <array>

namespace sluice::graph {
namespace {

TEST(Summary, CountsWhatAPersonAsksFor) {
    // x -> a -> {b, c, d} -> e -> y; r (replicated) -> d; lost (no output) reads a's tensor
    GraphBuilder builder("s");
    const auto tensor = [&](std::string name, bool known, bool output) {
        return builder.add_tensor({.name = std::move(name),
                                   .type = DataType::f32,
                                   .shape = {},
                                   .shape_known = known,
                                   .shape_assumed = known,
                                   .bytes = {10},
                                   .model_output = output});
    };
    const TensorId x = tensor("x", true, false), t = tensor("t", false, false), b = tensor("b", false, false),
                   c = tensor("c", false, false), d = tensor("d", false, false), y = tensor("y", false, true),
                   r = tensor("r", false, false);
    const ParameterId w = builder.add_parameter({.name = "w", .type = DataType::f32, .shape = {}, .bytes = {100}});
    Operator matrix, free;
    matrix.features.operator_class = OperatorClass::matrix;
    matrix.features.flops = 2;
    free.replicated = true;
    builder.add_operator(free, {}, std::array{r});
    builder.add_operator(matrix, std::array{x}, std::array{t}, std::array{w});
    builder.add_operator(matrix, std::array{t}, std::array{b}, std::array{w});
    builder.add_operator({}, std::array{t}, std::array{c});
    builder.add_operator({}, std::array{t, r}, std::array{d});
    builder.add_operator({}, std::array{b, c, d, t}, std::array{y});
    builder.add_operator({}, std::array{t}, {});
    const Summary s = summarise(std::move(builder).build().value());
    EXPECT_EQ(s.operators, 6u);
    EXPECT_EQ(s.replicated, 1u);
    EXPECT_EQ(s.edges, 8u);
    EXPECT_EQ(s.inputs, 1u);
    EXPECT_EQ(s.outputs, 1u);
    EXPECT_EQ(s.sources, 1u);
    EXPECT_EQ(s.sinks, 2u);
    EXPECT_EQ(s.stray_sinks, 1u);
    EXPECT_EQ(s.longest_path, 3u);
    EXPECT_EQ(s.widest_level, 4u);
    EXPECT_EQ(s.parameters, Bytes{100});
    EXPECT_EQ(s.activations, Bytes{70});
    EXPECT_EQ(s.flops, 4);
    EXPECT_EQ(s.per_class[static_cast<std::size_t>(OperatorClass::matrix)], 2u);
    EXPECT_EQ(s.flops_per_class[static_cast<std::size_t>(OperatorClass::matrix)], 4);
    EXPECT_EQ(s.unshaped, 6u);
    EXPECT_EQ(s.assumed, 1u);
}

}  // namespace
}  // namespace sluice::graph
