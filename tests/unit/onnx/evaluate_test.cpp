// The evaluator, operator by operator, against the ONNX definitions; and that what it cannot know stays unknown.
#include <limits>

#include "model_text.hpp"

namespace sluice::onnx {
namespace {

/// "[2, 3] 1 2 3 4 5 6" of tensor y; "open" when it has no value, "?" for an unknown element.
std::string value_of_y(const std::string& body, int opset = 17, const std::string& inputs = "float[N, 12, 64] x") {
    auto model = parse_text(std::format("g ({}) => (y) {{ {} }}", inputs, body), opset);
    const auto scope = link(*model.mutable_graph(), "test");
    if (!scope) return to_text(scope.error());
    const auto report = infer_shapes(**scope, opsets_of(model), {}, "test");
    if (!report) return to_text(report.error());
    const TensorInfo& y = *(*scope)->names.at("y");
    if (!y.value) return "open";
    std::string text = "[";
    for (std::size_t d = 0; d < y.value->shape().size(); ++d) text += std::format("{}{}", d == 0 ? "" : ", ", y.value->shape()[d]);
    text += "]";
    for (std::size_t i = 0; i < y.value->size(); ++i) {
        const Number number = (*y.value)[i];
        text += !number.known ? " ?" : y.value->is_real() ? std::format(" {}", number.real) : std::format(" {}", number.integer);
    }
    return text;
}

std::string ints(const std::string& name, const std::string& list) {
    return std::format("{} = Constant <value_ints = [{}]> ()\n", name, list);
}
std::string scalar(const std::string& name, std::int64_t value) { return std::format("{} = Constant <value_int = {}> ()\n", name, value); }
std::string real(const std::string& name, double value) { return std::format("{} = Constant <value_float = {:.9f}> ()\n", name, value); }

TEST(Evaluate, IntegerArithmetic) {
    const std::string ab = ints("a", "7, -7, 6") + ints("b", "2, 2, -3");
    EXPECT_EQ(value_of_y(ab + "y = Add(a, b)"), "[3] 9 -5 3");
    EXPECT_EQ(value_of_y(ab + "y = Sub(a, b)"), "[3] 5 -9 9");
    EXPECT_EQ(value_of_y(ab + "y = Mul(a, b)"), "[3] 14 -14 -18");
    EXPECT_EQ(value_of_y(ab + "y = Div(a, b)"), "[3] 3 -3 -2");
    EXPECT_EQ(value_of_y(ab + "y = Mod(a, b)"), "[3] 1 1 0");
    EXPECT_EQ(value_of_y(ab + "y = Mod <fmod = 1> (a, b)"), "[3] 1 -1 0");
    EXPECT_EQ(value_of_y(ab + "y = Max(a, b)"), "[3] 7 2 6");
    EXPECT_EQ(value_of_y(ab + "y = Min(a, b)"), "[3] 2 -7 -3");
    EXPECT_EQ(value_of_y(ab + "y = Neg(a)"), "[3] -7 7 -6");
    EXPECT_EQ(value_of_y(ab + "y = Abs(a)"), "[3] 7 7 6");
    EXPECT_EQ(value_of_y(ab + "y = Sign(a)"), "[3] 1 -1 1");
    EXPECT_EQ(value_of_y(ints("a", "2, 3") + scalar("b", 3) + "y = Pow(a, b)"), "[2] 8 27");
}

TEST(Evaluate, OverflowAndDivisionByZeroAreUnknown) {
    const std::string big = scalar("a", std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(value_of_y(big + scalar("b", 1) + "y = Add(a, b)"), "[] ?");
    EXPECT_EQ(value_of_y(big + scalar("b", 2) + "y = Mul(a, b)"), "[] ?");
    EXPECT_EQ(value_of_y(big + scalar("b", -2) + "y = Sub(b, a)"), "[] ?");
    EXPECT_EQ(value_of_y(scalar("a", 1) + scalar("b", 0) + "y = Div(a, b)"), "[] ?");
    EXPECT_EQ(value_of_y(scalar("a", 1) + scalar("b", 0) + "y = Mod(a, b)"), "[] ?");
    EXPECT_EQ(value_of_y(scalar("a", std::numeric_limits<std::int64_t>::min()) + scalar("b", -1) + "y = Div(a, b)"), "[] ?");
    EXPECT_EQ(value_of_y(scalar("a", 3'000'000'000) + "y = Cast <to = 6> (a)"), "[] ?");  // int32
    EXPECT_EQ(value_of_y(real("a", 1e30) + "y = Cast <to = 7> (a)"), "[] ?");
}

TEST(Evaluate, RealArithmeticRoundsToFloat) {
    EXPECT_EQ(value_of_y(real("a", 331) + real("b", 2) + "q = Div(a, b)\n y = Ceil(q)"), "[] 166");
    EXPECT_EQ(value_of_y(real("a", 2.5) + "y = Round(a)"), "[] 2");
    EXPECT_EQ(value_of_y(real("a", 64) + "y = Sqrt(a)"), "[] 8");
    EXPECT_EQ(value_of_y(real("a", -1.5) + "y = Floor(a)"), "[] -2");
    // 16777217 is no float.
    EXPECT_EQ(value_of_y(scalar("a", 16'777'217) + "f = Cast <to = 1> (a)\n y = Cast <to = 7> (f)"), "[] 16777216");
    EXPECT_EQ(value_of_y(real("a", -2.7) + "y = Cast <to = 7> (a)"), "[] -2");
}

TEST(Evaluate, ComparisonAndLogic) {
    const std::string ab = ints("a", "1, 2, 3") + ints("b", "2, 2, 2");
    EXPECT_EQ(value_of_y(ab + "y = Equal(a, b)"), "[3] 0 1 0");
    EXPECT_EQ(value_of_y(ab + "y = Less(a, b)"), "[3] 1 0 0");
    EXPECT_EQ(value_of_y(ab + "y = GreaterOrEqual(a, b)"), "[3] 0 1 1");
    EXPECT_EQ(value_of_y(ab + "c = Less(a, b)\n d = Equal(a, b)\n y = Or(c, d)"), "[3] 1 1 0");
    EXPECT_EQ(value_of_y(ab + "c = Less(a, b)\n y = Not(c)"), "[3] 0 1 1");
    EXPECT_EQ(value_of_y(ab + "c = Less(a, b)\n y = Where(c, a, b)"), "[3] 1 2 2");
    EXPECT_EQ(value_of_y(ints("a", "-5, 5, 15") + scalar("l", 0) + scalar("h", 10) + "y = Clip(a, l, h)"), "[3] 0 5 10");
    EXPECT_EQ(value_of_y(ints("a", "-5, 5, 15") + scalar("h", 10) + "y = Clip(a, , h)"), "[3] -5 5 10");
}

TEST(Evaluate, Reductions) {
    const std::string a = ints("l", "1, 2, 3, 4, 5, 6") + ints("s", "2, 3") + "a = Reshape(l, s)\n" + ints("axis", "1");
    EXPECT_EQ(value_of_y(a + "y = ReduceProd <axes = [1], keepdims = 0> (a)"), "[2] 6 120");
    EXPECT_EQ(value_of_y(a + "y = ReduceSum(a, axis)"), "[2, 1] 6 15");
    EXPECT_EQ(value_of_y(a + "y = ReduceMax <axes = [0]> (a)"), "[1, 3] 4 5 6");
    EXPECT_EQ(value_of_y(a + "y = ReduceMin <keepdims = 0> (a)"), "[] 1");
    EXPECT_EQ(value_of_y(a + "y = ReduceProd <keepdims = 0> (a, axis)", 18), "[2] 6 120");
}

TEST(Evaluate, ShapesWithUnknownSizes) {
    EXPECT_EQ(value_of_y("y = Shape(x)"), "[3] ? 12 64");
    EXPECT_EQ(value_of_y("y = Shape <start = 1> (x)"), "[2] 12 64");
    EXPECT_EQ(value_of_y("y = Shape <start = -1, end = 3> (x)"), "[1] 64");
    EXPECT_EQ(value_of_y("y = Size(x)"), "open");
    EXPECT_EQ(value_of_y("y = Size(x)", 17, "float[2, 12, 64] x"), "[] 1536");
    EXPECT_EQ(value_of_y("s = Shape(x)\n" + scalar("i", 2) + "y = Gather(s, i)"), "[] 64");
    EXPECT_EQ(value_of_y("s = Shape(x)\n" + scalar("i", -3) + "y = Gather(s, i)"), "[] ?");
    EXPECT_EQ(value_of_y("s = Shape(x)\n" + ints("t", "2") + "y = Mul(s, t)"), "[3] ? 24 128");
}

TEST(Evaluate, Layout) {
    const std::string m = ints("l", "0, 1, 2, 3, 4, 5") + ints("s", "2, 3") + "m = Reshape(l, s)\n";
    EXPECT_EQ(value_of_y(m + ints("i", "2, 0") + "y = Gather <axis = 1> (m, i)"), "[2, 2] 2 0 5 3");
    EXPECT_EQ(value_of_y(m + "y = Concat <axis = 1> (m, m)"), "[2, 6] 0 1 2 0 1 2 3 4 5 3 4 5");
    EXPECT_EQ(value_of_y(m + "y = Concat <axis = -2> (m, m)"), "[4, 3] 0 1 2 3 4 5 0 1 2 3 4 5");
    EXPECT_EQ(value_of_y(m + "y = Transpose(m)"), "[3, 2] 0 3 1 4 2 5");
    EXPECT_EQ(value_of_y(m + "y = Flatten <axis = 0> (m)"), "[1, 6] 0 1 2 3 4 5");
    EXPECT_EQ(value_of_y(m + ints("r", "-1, 0") + "y = Reshape(m, r)"), "[2, 3] 0 1 2 3 4 5");
    EXPECT_EQ(value_of_y(m + ints("a", "1") + "y = Unsqueeze(m, a)"), "[2, 1, 3] 0 1 2 3 4 5");
    EXPECT_EQ(value_of_y(ints("a", "5") + "y = Squeeze(a)"), "[] 5");
    EXPECT_EQ(value_of_y(ints("a", "5, 6") + ints("e", "2, 1") + "y = Expand(a, e)"), "[2, 2] 5 6 5 6");
    EXPECT_EQ(value_of_y(ints("a", "5, 6") + ints("e", "2") + "y = Tile(a, e)"), "[4] 5 6 5 6");
    EXPECT_EQ(value_of_y(m + "p, y = Split <axis = 1> (m, t)\n" + ints("t", "1, 2")), "[2, 2] 1 2 4 5");
    EXPECT_EQ(value_of_y(m + "z = Equal(m, m)\n y = NonZero(z)"), "[2, 6] 0 0 0 1 1 1 0 1 2 0 1 2");
    EXPECT_EQ(value_of_y(ints("d", "1, 2, 3") + ints("il", "2") + ints("is", "1, 1") + "i = Reshape(il, is)\n" + ints("u", "9") +
                         "y = ScatterND(d, i, u)"),
              "[3] 1 2 9");
    EXPECT_EQ(value_of_y(ints("s", "3") + "y = ConstantOfShape(s)"), "[3] 0 0 0");
    EXPECT_EQ(value_of_y(ints("s", "2") + "y = ConstantOfShape <value = int64[1] {7}> (s)"), "[2] 7 7");
}

TEST(Evaluate, Slices) {
    const std::string a = ints("a", "0, 1, 2, 3, 4");
    const auto slice = [&](const std::string& start, const std::string& end, const std::string& step) {
        return value_of_y(a + ints("s", start) + ints("e", end) + ints("x0", "0") + ints("t", step) + "y = Slice(a, s, e, x0, t)");
    };
    EXPECT_EQ(slice("1", "3", "1"), "[2] 1 2");
    EXPECT_EQ(slice("-2", "9223372036854775807", "1"), "[2] 3 4");
    EXPECT_EQ(slice("0", "5", "2"), "[3] 0 2 4");
    EXPECT_EQ(slice("-1", "-9223372036854775807", "-1"), "[5] 4 3 2 1 0");
    EXPECT_EQ(slice("3", "1", "-1"), "[2] 3 2");
    EXPECT_EQ(slice("4", "2", "1"), "[0]");
    EXPECT_EQ(slice("0", "5", "-9223372036854775807"), "open");
    EXPECT_EQ(value_of_y(a + "y = Slice <starts = [1], ends = [-1]> (a)", 9), "[3] 1 2 3");
}

TEST(Evaluate, Ranges) {
    EXPECT_EQ(value_of_y(scalar("a", 1) + scalar("b", 8) + scalar("c", 3) + "y = Range(a, b, c)"), "[3] 1 4 7");
    EXPECT_EQ(value_of_y(scalar("a", 5) + scalar("b", 0) + scalar("c", -2) + "y = Range(a, b, c)"), "[3] 5 3 1");
    EXPECT_EQ(value_of_y(scalar("a", 5) + scalar("b", 5) + scalar("c", 1) + "y = Range(a, b, c)"), "[0]");
    EXPECT_EQ(value_of_y(scalar("a", 0) + scalar("b", 5) + scalar("c", 0) + "y = Range(a, b, c)"), "open");
}

TEST(Evaluate, LargeValuesAreNotKept) {
    EXPECT_EQ(value_of_y(ints("s", "1025") + "y = ConstantOfShape(s)"), "open");
    EXPECT_EQ(value_of_y(ints("s", "0, 4611686018427387904, 4611686018427387904") + "y = ConstantOfShape(s)"), "open");
}

TEST(Evaluate, BadOperandsAreNoValues) {
    EXPECT_EQ(value_of_y(ints("a", "1, 2") + scalar("i", 2) + "y = Gather(a, i)"), "open");
    EXPECT_EQ(value_of_y(ints("a", "1, 2") + ints("b", "1, 2, 3") + "y = Add(a, b)"), "open");
    EXPECT_EQ(value_of_y(ints("a", "1, 2") + ints("s", "3") + "y = Reshape(a, s)"), "open");
    EXPECT_EQ(value_of_y(ints("a", "1, 2") + "y = com.acme.Add(a, a)"), "open");
}

}  // namespace
}  // namespace sluice::onnx
