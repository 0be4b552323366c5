#include "sluice/mcm/judge/effects.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/judged.hpp"

namespace sluice::mcm {
namespace {

using graph::OperatorClass;

/// One operator on `mcm-36`: int8, 2 TOP/s, 64 G elements/s, 192 GB/s.
class OneOperator {
public:
    OneOperator() {
        graph_.compute_type = graph::DataType::f32;
        platform_ = test::detail::must(platform::load_platform("mcm-36"));
    }
    OneOperator& of(OperatorClass operator_class, double flops, std::int64_t rows = 0) {
        graph_.operator_class = operator_class;
        graph_.flops = flops;
        graph_.rows = rows;
        return *this;
    }
    OneOperator& reads(std::vector<std::int64_t> shape) {
        inputs_.push_back(std::move(shape));
        return *this;
    }
    OneOperator& called(std::string type) {
        type_ = std::move(type);
        return *this;
    }
    OneOperator& weighs(std::vector<std::int64_t> shape) {
        weight_ = std::move(shape);
        return *this;
    }
    double makes(std::vector<std::int64_t> shape, const EffectOptions& options = {}) {
        graph::GraphBuilder builder("one");
        std::vector<TensorId> inputs;
        graph::Features features = graph_;
        for (const auto& input : inputs_) {
            inputs.push_back(builder.add_tensor(tensor(std::format("i{}", inputs.size()), input)));
            features.read += bytes(input);
        }
        std::vector<ParameterId> parameters;
        if (!weight_.empty()) {
            parameters.push_back(
                builder.add_parameter({.name = "w", .type = graph::DataType::f32, .shape = weight_, .bytes = bytes(weight_)}));
            features.parameters_read = bytes(weight_);
        }
        features.written = bytes(shape);
        graph::Operator op;
        op.name = "op";
        op.type = type_;
        op.features = features;
        builder.add_operator(std::move(op), inputs, std::vector{builder.add_tensor(tensor("o", shape))}, parameters);
        const graph::Graph graph = test::detail::must(std::move(builder).build());
        return slowdown(graph, OperatorId(0), platform_, options);
    }

private:
    static Bytes bytes(const std::vector<std::int64_t>& shape) {
        std::int64_t count = 4;
        for (const std::int64_t size : shape) count *= size;
        return {count};
    }
    static graph::Tensor tensor(std::string name, const std::vector<std::int64_t>& shape) {
        graph::Tensor made;
        made.name = std::move(name);
        made.shape = shape;
        made.shape_known = true;
        made.bytes = bytes(shape);
        return made;
    }
    graph::Features graph_;
    platform::Platform platform_;
    std::string type_ = "Op";
    std::vector<std::vector<std::int64_t>> inputs_;
    std::vector<std::int64_t> weight_;
};

OneOperator matrix(std::int64_t rows, std::int64_t inner, std::int64_t columns) {
    OneOperator op;
    op.of(OperatorClass::matrix, 2.0 * static_cast<double>(rows * inner * columns), rows).reads({rows, inner}).weighs({inner, columns});
    return op;
}

TEST(Effects, ProductsThatFillTheArrayLoseOnlyTheWave) {
    EXPECT_NEAR(matrix(128, 1024, 1024).makes({128, 1024}), 1 + 0.08 * 128 / 128, 1e-9);
    EXPECT_NEAR(matrix(4096, 1024, 1024).makes({4096, 1024}), 1 + 0.08 * 128 / 4096, 1e-9);
}

TEST(Effects, TilesThatStayPartlyEmptyCostAsMuchAsFullOnes) {
    EXPECT_NEAR(matrix(4096, 1024, 65).makes({4096, 65}), 80.0 / 65 * (1 + 0.08 * 128 / 4096), 1e-9);
    EXPECT_NEAR(matrix(4096, 90, 1024).makes({4096, 1024}), 96.0 / 90 * (1 + 0.08 * 128 / 4096), 1e-9);
}

TEST(Effects, ProductsOfActivationsWaitForTheirOperand) {
    // 16 heads, 128 x 64 by 64 x 128.
    OneOperator scores;
    scores.of(OperatorClass::matrix, 2.0 * 16 * 128 * 64 * 128, 16 * 128).reads({16, 128, 64}).reads({16, 64, 128});
    EXPECT_NEAR(scores.makes({16, 128, 128}), 1 + 0.08 * 128 / 128 + 0.25 * 64 / 128, 1e-9);
}

TEST(Effects, WhatMemoryBoundsDoesNotFeelTheArray) {
    // One row: the weights are read, the array idles anyhow.
    const double one_row = matrix(1, 4096, 4096).makes({1, 4096});
    EXPECT_GE(one_row, 1.0);
    EXPECT_LT(one_row, 8.0);
    EXPECT_LT(one_row, 1 + 0.08 * 128);
}

TEST(Effects, ShortRowsWasteLanesInReductions) {
    OneOperator softmax;
    softmax.of(OperatorClass::reduction, 1e6).reads({4096, 128});
    EXPECT_NEAR(softmax.makes({4096, 128}), 2.5 / 2, 1e-9);
    OneOperator odd;
    odd.of(OperatorClass::reduction, 1e6).reads({4096, 65});
    EXPECT_NEAR(odd.makes({4096, 65}), 2.5 / (65.0 / 64), 1e-9);
    OneOperator sum;
    sum.of(OperatorClass::elementwise, 1e6).reads({4096, 65});
    EXPECT_NEAR(sum.makes({4096, 65}), 1.0, 1e-9) << "rows follow each other";
}

TEST(Effects, NormalisationOfAnImageGoesByPlanes) {
    OneOperator planes, rows;
    planes.of(OperatorClass::reduction, 1e6).called("BatchNormalization").reads({1, 512, 7, 7});
    rows.of(OperatorClass::reduction, 1e6).called("Softmax").reads({1, 512, 7, 7});
    EXPECT_NEAR(planes.makes({1, 512, 7, 7}), 1.5 * 64 / 49, 1e-9);
    EXPECT_NEAR(rows.makes({1, 512, 7, 7}), 1.5 * 64 / 7, 1e-9);
}

TEST(Effects, StridesThatMeetInABankCostTransposes) {
    OneOperator even, odd;
    even.of(OperatorClass::movement, 0).reads({1024, 1024});
    odd.of(OperatorClass::movement, 0).reads({1024, 1056});  // 33 lines
    EXPECT_NEAR(even.makes({1024, 1024}), 1 + 0.6 * (1 - 1.0 / 32), 1e-9);
    EXPECT_NEAR(odd.makes({1056, 1024}), 1.0, 1e-9);
}

TEST(Effects, NothingIsFasterThanPlannedAndNoneAreNone) {
    for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
        RandomStream random(seed, 61);
        OneOperator op;
        const auto shape = [&] {
            std::vector<std::int64_t> sizes;
            for (std::size_t i = 0, count = random.below(4); i < count; ++i) sizes.push_back(random.between(1, 300));
            return sizes;
        };
        op.of(static_cast<OperatorClass>(random.below(graph::kOperatorClasses)), random.chance(0.2) ? 0 : std::exp(random.unit() * 25),
              random.chance(0.3) ? 0 : random.between(1, 5'000));
        for (std::size_t i = 0, count = random.below(3); i < count; ++i) op.reads(shape());
        if (random.chance(0.4)) op.weighs({random.between(1, 300), random.between(1, 300)});
        const auto made = shape();
        const double slower = op.makes(made);
        ASSERT_GE(slower, 1.0) << seed;
        ASSERT_LT(slower, 1e6) << seed;
        ASSERT_EQ(op.makes(made, EffectOptions::none()), 1.0) << seed;
    }
}

TEST(Effects, GivenTimesStayWithoutFeatures) {
    const graph::Graph graph = test::bert_like_graph(2, true);
    const auto made = test::on_ring(graph, test::given_ring(graph, 4, platform::StageModel::overlap));
    const auto effects = node_effects(made->graph, made->costs, made->platform, EffectOptions{});
    for (std::size_t v = 0; v < effects.size(); ++v) {
        EXPECT_GE(effects[v].work, made->costs.classes[0].work[v]);
        EXPECT_FALSE(effects[v].joins);
        EXPECT_TRUE(effects[v].issues);
    }
}

}  // namespace
}  // namespace sluice::mcm
