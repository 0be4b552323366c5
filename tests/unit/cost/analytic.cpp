// The analytic cost model by hand: one small operator, round numbers.
#include "sluice/cost/analytic.hpp"

#include <gtest/gtest.h>

#include "sluice/cost/stage_problem.hpp"

namespace sluice::cost {
namespace {

using graph::DataType;
using graph::OperatorClass;

constexpr double kTera = 1e12;

struct Example {
    graph::Features features;
    std::int64_t in = 100, out = 100, parameters = 0;  // bytes
    DataType type = DataType::f32;
    platform::Platform platform;

    Example() {
        platform.stage_link.rate = {1'000'000'000'000};
        platform::DeviceClass device;
        device.name = "chip";
        device.flops_per_second[static_cast<std::size_t>(DataType::f32)] = kTera;  // an operation a picosecond
        device.memory_rate = {1'000'000'000'000};                                  // a byte a picosecond
        platform.classes = {device};
        features.operator_class = OperatorClass::matrix;
        features.flops = 5000;
        features.read = {100};
        features.written = {100};
    }
    platform::DeviceClass& device() { return platform.classes[0]; }

    [[nodiscard]] graph::Graph graph(std::string type_name = "Thing") const {
        graph::GraphBuilder builder("one");
        graph::Tensor tensor;
        tensor.type = type;
        tensor.name = "in";
        tensor.bytes = {in};
        const TensorId input = builder.add_tensor(tensor);
        tensor.name = "out";
        tensor.bytes = {out};
        const TensorId output = builder.add_tensor(tensor);
        graph::Parameter parameter;
        parameter.name = "w";
        parameter.type = type;
        parameter.bytes = {parameters};
        const ParameterId weight = builder.add_parameter(parameter);
        graph::Operator op;
        op.name = "thing";
        op.type = std::move(type_name);
        op.features = features;
        builder.add_operator(op, std::vector{input}, std::vector{output}, std::vector{weight});
        auto built = std::move(builder).build();
        EXPECT_TRUE(built.has_value());
        return *std::move(built);
    }
    [[nodiscard]] std::int64_t time() const {
        const auto result = operator_time(graph(), OperatorId(0), platform, platform.classes[0]);
        return result ? result->count() : -1;
    }
};

TEST(Analytic, TheSlowerOfArithmeticAndMemoryPlusLaunch) {
    Example example;
    EXPECT_EQ(example.time(), 5000);
    example.features.flops = 150;
    EXPECT_EQ(example.time(), 200);
    example.parameters = 1000;
    example.features.parameters_read = {30};  // an embedding reads only its rows
    EXPECT_EQ(example.time(), 230);
    example.device().launch = Duration{7};
    EXPECT_EQ(example.time(), 237);
    example.features.flops = 0;
    example.features.read = example.features.written = example.features.parameters_read = {0};
    EXPECT_EQ(example.time(), 7);
}

TEST(Analytic, RoundsUpOnce) {
    Example example;
    example.features.flops = 1;
    example.features.read = example.features.written = {0};
    example.device().flops_per_second[static_cast<std::size_t>(DataType::f32)] = 3 * kTera;
    EXPECT_EQ(example.time(), 1);
    example.features.flops = 10;
    EXPECT_EQ(example.time(), 4);
    example.features.flops = 0;
    example.features.read = {10};
    example.device().memory_rate = {3'000'000'000'000};
    EXPECT_EQ(example.time(), 4);
    example.features.read = {9};
    EXPECT_EQ(example.time(), 3);
}

TEST(Analytic, EfficiencyAndRows) {
    Example example;
    example.device().efficiency[static_cast<std::size_t>(OperatorClass::matrix)] = 0.5;
    EXPECT_EQ(example.time(), 10000);
    example.device().half_rows = 256;
    EXPECT_EQ(example.time(), 10000);  // no matrix: rows 0
    example.features.rows = 256;
    EXPECT_EQ(example.time(), 20000);
    example.features.rows = 768;
    EXPECT_EQ(example.time(), 13334);  // 10000 / (3/4), rounded up
    example.features.operator_class = OperatorClass::convolution;
    example.device().half_rows = 0;
    EXPECT_EQ(example.time(), 5000);
}

TEST(Analytic, ViewsAreFree) {
    Example example;
    example.device().launch = Duration{7};
    example.features.operator_class = OperatorClass::view;
    EXPECT_EQ(example.time(), 0);
}

TEST(Analytic, UnknownAndControlGoByBytes) {
    Example example;
    for (const OperatorClass c : {OperatorClass::unknown, OperatorClass::control}) {
        example.features.operator_class = c;
        example.features.flops = 1e9;
        EXPECT_EQ(example.time(), 200);
    }
}

TEST(Analytic, VectorUnit) {
    Example example;
    example.in = 4000;
    example.out = 400;
    example.features.read = {4000};
    example.features.written = {400};
    example.features.flops = 100'000;
    for (const OperatorClass c : {OperatorClass::elementwise, OperatorClass::reduction}) {
        example.features.operator_class = c;
        example.device().vector_elements_per_second = 0;
        EXPECT_EQ(example.time(), 100'000);
        example.device().vector_elements_per_second = kTera / 100;                            // 100 ps an element
        EXPECT_EQ(example.time(), c == OperatorClass::elementwise ? 100 * 100 : 1000 * 100);  // f32: written elements, or those read
    }
    example.features.operator_class = OperatorClass::movement;
    EXPECT_EQ(example.time(), 100'000);
}

TEST(Analytic, TensorsCountedAsAnotherType) {
    Example example;
    example.platform.tensor_type = DataType::i8;
    example.device().flops_per_second[static_cast<std::size_t>(DataType::i8)] = 4 * kTera;
    example.parameters = 1000;
    example.features.parameters_read = {400};
    EXPECT_EQ(example.time(), 1250);  // arithmetic in i8
    example.features.flops = 1;
    EXPECT_EQ(example.time(), 25 + 25 + 100);  // f32 bytes to a quarter
    example.features.read = {50};              // only half of the tensor is read
    EXPECT_EQ(example.time(), 13 + 25 + 100);  // 12.5 up
    example.type = DataType::i64;
    example.features.compute_type = DataType::i64;
    EXPECT_EQ(example.time(), 50 + 100 + 400);  // integers stay
    example.features.flops = 5000;
    EXPECT_EQ(example.time(), 5000);  // neither i8 nor f32 is as wide as i64: the wider of them
}

TEST(Analytic, BytesAsAnotherType) {
    EXPECT_EQ(counted_bytes({10}, DataType::f32, std::nullopt), Bytes{10});
    EXPECT_EQ(counted_bytes({10}, DataType::f32, DataType::i8), Bytes{3});
    EXPECT_EQ(counted_bytes({10}, DataType::f32, DataType::i4), Bytes{2});
    EXPECT_EQ(counted_bytes({10}, DataType::bf16, DataType::i8), Bytes{5});
    EXPECT_EQ(counted_bytes({10}, DataType::f16, DataType::f32), Bytes{20});
    EXPECT_EQ(counted_bytes({10}, DataType::i64, DataType::i8), Bytes{10});
    EXPECT_EQ(counted_bytes({10}, DataType::boolean, DataType::i8), Bytes{10});
    EXPECT_EQ(counted_bytes({std::int64_t{1} << 62}, DataType::f8, DataType::f64), Bytes{INT64_MAX});  // freezing refuses such a sum
    EXPECT_EQ(counted_bytes({INT64_MAX}, DataType::f32, DataType::i8), Bytes{(std::int64_t{1} << 61)});
}

TEST(Analytic, RateOfTheNearestWiderType) {
    platform::DeviceClass device;
    const auto set = [&](DataType type, double rate) { device.flops_per_second[static_cast<std::size_t>(type)] = rate; };
    EXPECT_EQ(rate_of(device, DataType::f32), 0);
    set(DataType::bf16, 16);
    EXPECT_EQ(rate_of(device, DataType::f32), 16);  // nothing wider: the widest there is
    EXPECT_EQ(rate_of(device, DataType::i64), 16);
    EXPECT_EQ(rate_of(device, DataType::i8), 16);
    set(DataType::f32, 32);
    EXPECT_EQ(rate_of(device, DataType::f16), 16);  // as wide
    EXPECT_EQ(rate_of(device, DataType::f8), 16);
    EXPECT_EQ(rate_of(device, DataType::f64), 32);
    EXPECT_EQ(rate_of(device, DataType::i32), 32);
    set(DataType::i32, 3);
    EXPECT_EQ(rate_of(device, DataType::i16), 3);  // the same kind first
    EXPECT_EQ(rate_of(device, DataType::i64), 3);
    EXPECT_EQ(rate_of(device, DataType::f64), 32);
    set(DataType::f16, 17);
    EXPECT_EQ(rate_of(device, DataType::f16), 17);
    EXPECT_EQ(rate_of(device, DataType::bf16), 16);
}

TEST(Analytic, RefusesWhatCannotBeCounted) {
    Example example;
    example.features.flops = 1e300;
    EXPECT_EQ(example.time(), -1);
    example.features.flops = 2e18;  // beyond 2^60
    EXPECT_EQ(example.time(), -1);
    example.features.flops = 1e18;
    EXPECT_EQ(example.time(), 1'000'000'000'000'000'000);
    example.features.flops = 1;
    example.features.read = {INT64_MAX};
    example.in = INT64_MAX / 4;
    EXPECT_EQ(example.time(), -1);
    Example none;
    none.device().flops_per_second = {};
    EXPECT_EQ(none.time(), -1);
    none.features.flops = 0;
    EXPECT_EQ(none.time(), 200);
}

TEST(Analytic, FreezingUsesItAndWarns) {
    Example example;
    example.parameters = 80;
    example.device().launch = Duration{3};
    auto frozen = freeze(example.graph(), example.platform);
    ASSERT_TRUE(frozen.has_value()) << to_text(frozen.error());
    EXPECT_EQ(frozen->problem.classes[0].work, std::vector{Duration{5003}});
    EXPECT_EQ(frozen->report.cost_source, "analytic");
    EXPECT_TRUE(frozen->report.warnings.empty());

    example.features.operator_class = OperatorClass::unknown;
    frozen = freeze(example.graph("com.acme.Foo"), example.platform);
    ASSERT_TRUE(frozen.has_value());
    EXPECT_EQ(frozen->report.warnings,
              std::vector<std::string>{"1 operator of types without a cost model, costed by bytes: com.acme.Foo (1)"});

    example.platform.tensor_type = DataType::i8;
    frozen = freeze(example.graph(), example.platform);
    ASSERT_TRUE(frozen.has_value());
    EXPECT_EQ(frozen->problem.weight_bytes, std::vector{Bytes{20}});
    EXPECT_EQ(frozen->problem.bytes, std::vector{Bytes{25}});
    EXPECT_EQ(frozen->problem.scratch, std::vector{Bytes{25}});

    example.features.operator_class = OperatorClass::matrix;
    example.device().flops_per_second = {};
    frozen = freeze(example.graph(), example.platform);
    ASSERT_FALSE(frozen.has_value());
    EXPECT_NE(frozen.error().message.find("no arithmetic rate"), std::string::npos);
}

}  // namespace
}  // namespace sluice::cost
