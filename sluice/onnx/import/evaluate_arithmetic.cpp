#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "sluice/base/units.hpp"
#include "sluice/onnx/import/evaluate.hpp"

namespace sluice::onnx {

namespace {

using Proto = ::onnx::TensorProto;
using Numbers = std::span<const Number>;

Number checked(std::optional<std::int64_t> integer) { return integer ? Number{.integer = *integer} : kUnknown; }

/// out[i] = f(inputs broadcast at i); an unknown operand makes an unknown element. `type` of the result, or that of the first input.
template <typename F>
std::vector<Value> elementwise(const Evaluation& e, std::optional<std::int32_t> type, std::size_t arity, F f) {
    if (e.inputs.size() != arity || arity == 0) return {};
    Shape shape;
    for (std::size_t i = 0; i < arity; ++i) {
        if (!e.value(i)) return {};
        const auto wider = broadcast(shape, e.value(i)->shape());
        if (!wider) return {};
        shape = *wider;
    }
    if (!is_small(shape)) return {};
    const std::int64_t count = *element_count(shape);
    Value result(type.value_or(e.value(0)->type()), shape);
    std::vector<Walk> walks;
    for (std::size_t i = 0; i < arity; ++i) walks.emplace_back(shape, strides_of(e.value(i)->shape(), shape));
    std::vector<Number> operands(arity);
    for (std::int64_t k = 0; k < count; ++k) {
        bool known = true;
        for (std::size_t i = 0; i < arity; ++i) {
            operands[i] = (*e.value(i))[static_cast<std::size_t>(walks[i].offset())];
            known = known && operands[i].known;
            walks[i].next();
        }
        result.push(known ? f(Numbers(operands)) : kUnknown);
    }
    return {std::move(result)};
}

/// An operator with one meaning on integers and one on reals; inputs of different kinds are not evaluated.
template <typename Integer, typename Real>
std::vector<Value> arithmetic(const Evaluation& e, std::optional<std::int32_t> type, std::size_t arity, Integer integer, Real real) {
    if (!e.value(0)) return {};
    for (std::size_t i = 1; i < e.inputs.size(); ++i) {
        if (e.value(i) && e.value(i)->is_real() != e.value(0)->is_real()) return {};
    }
    return e.value(0)->is_real() ? elementwise(e, type, arity, real) : elementwise(e, type, arity, integer);
}

template <typename Integer, typename Real>
std::vector<Value> binary(const Evaluation& e, Integer integer, Real real) {
    return arithmetic(
        e, std::nullopt, 2, [&](Numbers n) { return checked(integer(n[0].integer, n[1].integer)); },
        [&](Numbers n) { return Number{.real = real(n[0].real, n[1].real)}; });
}

template <typename Compare>
std::vector<Value> compare(const Evaluation& e, Compare compare) {
    return arithmetic(
        e, Proto::BOOL, 2, [&](Numbers n) { return Number{.integer = compare(n[0].integer, n[1].integer)}; },
        [&](Numbers n) { return Number{.integer = compare(n[0].real, n[1].real)}; });
}

template <typename Real>
std::vector<Value> real_only(const Evaluation& e, Real real) {
    if (!e.value(0) || !e.value(0)->is_real()) return {};
    return elementwise(e, std::nullopt, 1, [&](Numbers n) { return Number{.real = real(n[0].real)}; });
}

template <typename Logic>
std::vector<Value> logic(const Evaluation& e, Logic logic) {
    return elementwise(e, Proto::BOOL, 2, [&](Numbers n) { return Number{.integer = logic(n[0].integer != 0, n[1].integer != 0)}; });
}

std::optional<std::int64_t> subtract(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}
std::optional<std::int64_t> divide(std::int64_t a, std::int64_t b) {
    if (b == 0 || (b == -1 && a == std::numeric_limits<std::int64_t>::min())) return std::nullopt;
    return a / b;
}
std::optional<std::int64_t> power(std::int64_t base, std::int64_t exponent) {
    if (exponent < 0 || exponent > 64) return std::nullopt;
    std::optional<std::int64_t> result = 1;
    for (std::int64_t i = 0; i < exponent && result; ++i) result = checked_multiply(*result, base);
    return result;
}

std::vector<Value> add(const Evaluation& e) {
    return binary(e, checked_add, [](double a, double b) { return a + b; });
}
std::vector<Value> sub(const Evaluation& e) {
    return binary(e, subtract, [](double a, double b) { return a - b; });
}
std::vector<Value> mul(const Evaluation& e) {
    return binary(e, checked_multiply, [](double a, double b) { return a * b; });
}
std::vector<Value> div(const Evaluation& e) {
    return binary(e, divide, [](double a, double b) { return a / b; });
}
std::vector<Value> mod(const Evaluation& e) {
    const bool like_c = e.integer("fmod", 0) != 0;
    return binary(
        e,
        [&](std::int64_t a, std::int64_t b) -> std::optional<std::int64_t> {
            if (!divide(a, b)) return std::nullopt;
            const std::int64_t rest = a % b;
            return !like_c && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
        },
        [](double a, double b) { return std::fmod(a, b); });
}
std::vector<Value> pow(const Evaluation& e) {
    // The exponent may be of another type than the base.
    if (!e.value(0) || !e.value(1)) return {};
    if (!e.value(0)->is_real() && !e.value(1)->is_real()) return binary(e, power, [](double, double) { return 0.0; });
    if (!e.value(0)->is_real()) return {};
    const bool real_exponent = e.value(1)->is_real();
    return elementwise(e, std::nullopt, 2, [&](Numbers n) {
        return Number{.real = std::pow(n[0].real, real_exponent ? n[1].real : static_cast<double>(n[1].integer))};
    });
}
std::vector<Value> minimum(const Evaluation& e) {
    return arithmetic(
        e, std::nullopt, e.inputs.size(), [](Numbers n) { return std::ranges::min(n, {}, &Number::integer); },
        [](Numbers n) { return std::ranges::min(n, {}, &Number::real); });
}
std::vector<Value> maximum(const Evaluation& e) {
    return arithmetic(
        e, std::nullopt, e.inputs.size(), [](Numbers n) { return std::ranges::max(n, {}, &Number::integer); },
        [](Numbers n) { return std::ranges::max(n, {}, &Number::real); });
}
std::vector<Value> negative(const Evaluation& e) {
    return arithmetic(
        e, std::nullopt, 1, [](Numbers n) { return checked(subtract(0, n[0].integer)); },
        [](Numbers n) { return Number{.real = -n[0].real}; });
}
std::vector<Value> absolute(const Evaluation& e) {
    return arithmetic(
        e, std::nullopt, 1, [](Numbers n) { return n[0].integer < 0 ? checked(subtract(0, n[0].integer)) : n[0]; },
        [](Numbers n) { return Number{.real = std::abs(n[0].real)}; });
}
std::vector<Value> sign(const Evaluation& e) {
    return arithmetic(
        e, std::nullopt, 1, [](Numbers n) { return Number{.integer = (n[0].integer > 0) - (n[0].integer < 0)}; },
        [](Numbers n) { return Number{.real = static_cast<double>((n[0].real > 0) - (n[0].real < 0))}; });
}
std::vector<Value> floor(const Evaluation& e) {
    return real_only(e, [](double x) { return std::floor(x); });
}
std::vector<Value> ceil(const Evaluation& e) {
    return real_only(e, [](double x) { return std::ceil(x); });
}
std::vector<Value> round(const Evaluation& e) {
    return real_only(e, [](double x) { return std::nearbyint(x); });
}  // half to even
std::vector<Value> sqrt(const Evaluation& e) {
    return real_only(e, [](double x) { return std::sqrt(x); });
}
std::vector<Value> exp(const Evaluation& e) {
    return real_only(e, [](double x) { return std::exp(x); });
}
std::vector<Value> log(const Evaluation& e) {
    return real_only(e, [](double x) { return std::log(x); });
}
std::vector<Value> reciprocal(const Evaluation& e) {
    return real_only(e, [](double x) { return 1 / x; });
}

std::vector<Value> equal(const Evaluation& e) {
    return compare(e, [](auto a, auto b) { return a == b; });
}
std::vector<Value> less(const Evaluation& e) {
    return compare(e, [](auto a, auto b) { return a < b; });
}
std::vector<Value> greater(const Evaluation& e) {
    return compare(e, [](auto a, auto b) { return a > b; });
}
std::vector<Value> less_or_equal(const Evaluation& e) {
    return compare(e, [](auto a, auto b) { return a <= b; });
}
std::vector<Value> greater_or_equal(const Evaluation& e) {
    return compare(e, [](auto a, auto b) { return a >= b; });
}
std::vector<Value> logical_and(const Evaluation& e) {
    return logic(e, [](bool a, bool b) { return a && b; });
}
std::vector<Value> logical_or(const Evaluation& e) {
    return logic(e, [](bool a, bool b) { return a || b; });
}
std::vector<Value> logical_xor(const Evaluation& e) {
    return logic(e, [](bool a, bool b) { return a != b; });
}
std::vector<Value> logical_not(const Evaluation& e) {
    return elementwise(e, Proto::BOOL, 1, [](Numbers n) { return Number{.integer = n[0].integer == 0}; });
}

std::vector<Value> where(const Evaluation& e) {
    if (!e.value(1) || !e.value(2) || e.value(1)->type() != e.value(2)->type()) return {};
    return elementwise(e, e.value(1)->type(), 3, [](Numbers n) { return n[0].integer != 0 ? n[1] : n[2]; });
}

std::vector<Value> clip(const Evaluation& e) {
    if (!e.value(0)) return {};
    if (e.attribute("min") || e.attribute("max")) return {};  // before opset 11: reals only, which no shape uses
    std::optional<Number> low, high;
    for (const std::size_t i : {1u, 2u}) {
        if (!e.has(i)) continue;
        const Value* bound = e.value(i);
        if (!bound || bound->size() != 1 || !bound->all_known() || bound->is_real() != e.value(0)->is_real()) return {};
        (i == 1 ? low : high) = (*bound)[0];
    }
    const bool real = e.value(0)->is_real();
    const Evaluation first{e.node, e.opset, e.inputs.first(1)};
    return elementwise(first, std::nullopt, 1, [&](Numbers n) {
        Number x = n[0];
        if (low && (real ? x.real < low->real : x.integer < low->integer)) x = *low;
        if (high && (real ? x.real > high->real : x.integer > high->integer)) x = *high;
        return x;
    });
}

std::vector<Value> cast_to(const Evaluation& e, std::int32_t type) {
    if (!e.value(0) || !can_hold(type)) return {};
    const bool from_real = e.value(0)->is_real();
    const bool to_real = Value(type, {}).is_real();
    const Evaluation first{e.node, e.opset, e.inputs.first(1)};
    return elementwise(first, type, 1, [&](Numbers n) {
        if (type == Proto::BOOL) return Number{.integer = from_real ? n[0].real != 0 : n[0].integer != 0};
        if (to_real) return from_real ? n[0] : Number{.real = static_cast<double>(n[0].integer)};
        if (!from_real) return n[0];
        if (!(std::abs(n[0].real) < 9.2e18)) return kUnknown;
        return Number{.integer = static_cast<std::int64_t>(n[0].real)};
    });
}
std::vector<Value> cast(const Evaluation& e) { return cast_to(e, static_cast<std::int32_t>(e.integer("to", 0))); }
std::vector<Value> cast_like(const Evaluation& e) {
    if (!e.has(1)) return {};
    return cast_to(e, e.inputs[1].type->tensor_type().elem_type());
}

/// Folds along axes with f(accumulated, element).
template <typename F>
std::vector<Value> reduce(const Evaluation& e, F f) {
    const Value* data = e.value(0);
    const auto axes = e.integers("axes", 1);
    if (!data || !axes) return {};
    const std::size_t rank = data->shape().size();
    std::vector<char> reduced(rank, axes->value_or(Shape{}).empty() && e.integer("noop_with_empty_axes", 0) == 0);
    for (const std::int64_t axis : axes->value_or(Shape{})) {
        const auto d = axis_from_front(axis, rank);
        if (!d) return {};
        reduced[*d] = 1;
    }
    Shape kept, shape;
    for (std::size_t d = 0; d < rank; ++d) {
        if (reduced[d] && data->shape()[d] == 0) return {};
        kept.push_back(reduced[d] ? 1 : data->shape()[d]);
        if (!reduced[d]) shape.push_back(data->shape()[d]);
    }
    std::vector<std::optional<Number>> sums(static_cast<std::size_t>(element_count(kept).value_or(0)));
    Walk walk(data->shape(), strides_of(kept, data->shape()));
    for (std::size_t i = 0; i < data->size(); ++i, walk.next()) {
        auto& sum = sums[static_cast<std::size_t>(walk.offset())];
        const Number x = (*data)[i];
        sum = !sum ? x : (sum->known && x.known ? f(*sum, x) : kUnknown);
    }
    Value result(data->type(), e.integer("keepdims", 1) != 0 ? kept : shape);
    for (const auto& sum : sums) result.push(sum.value_or(kUnknown));
    return {std::move(result)};
}
std::vector<Value> reduce_sum(const Evaluation& e) {
    const bool real = e.value(0) && e.value(0)->is_real();
    return reduce(e,
                  [&](Number a, Number b) { return real ? Number{.real = a.real + b.real} : checked(checked_add(a.integer, b.integer)); });
}
std::vector<Value> reduce_prod(const Evaluation& e) {
    const bool real = e.value(0) && e.value(0)->is_real();
    return reduce(
        e, [&](Number a, Number b) { return real ? Number{.real = a.real * b.real} : checked(checked_multiply(a.integer, b.integer)); });
}
std::vector<Value> reduce_max(const Evaluation& e) {
    const bool real = e.value(0) && e.value(0)->is_real();
    return reduce(e, [&](Number a, Number b) { return (real ? a.real < b.real : a.integer < b.integer) ? b : a; });
}
std::vector<Value> reduce_min(const Evaluation& e) {
    const bool real = e.value(0) && e.value(0)->is_real();
    return reduce(e, [&](Number a, Number b) { return (real ? b.real < a.real : b.integer < a.integer) ? b : a; });
}

}  // namespace

Evaluator find_arithmetic(std::string_view op_type) {
    static const std::unordered_map<std::string_view, Evaluator> kTable{{"Add", add},
                                                                        {"Sub", sub},
                                                                        {"Mul", mul},
                                                                        {"Div", div},
                                                                        {"Mod", mod},
                                                                        {"Pow", pow},
                                                                        {"Min", minimum},
                                                                        {"Max", maximum},
                                                                        {"Neg", negative},
                                                                        {"Abs", absolute},
                                                                        {"Sign", sign},
                                                                        {"Floor", floor},
                                                                        {"Ceil", ceil},
                                                                        {"Round", round},
                                                                        {"Sqrt", sqrt},
                                                                        {"Exp", exp},
                                                                        {"Log", log},
                                                                        {"Reciprocal", reciprocal},
                                                                        {"Equal", equal},
                                                                        {"Less", less},
                                                                        {"Greater", greater},
                                                                        {"LessOrEqual", less_or_equal},
                                                                        {"GreaterOrEqual", greater_or_equal},
                                                                        {"And", logical_and},
                                                                        {"Or", logical_or},
                                                                        {"Xor", logical_xor},
                                                                        {"Not", logical_not},
                                                                        {"Where", where},
                                                                        {"Clip", clip},
                                                                        {"Cast", cast},
                                                                        {"CastLike", cast_like},
                                                                        {"ReduceSum", reduce_sum},
                                                                        {"ReduceProd", reduce_prod},
                                                                        {"ReduceMax", reduce_max},
                                                                        {"ReduceMin", reduce_min}};
    const auto found = kTable.find(op_type);
    return found == kTable.end() ? nullptr : found->second;
}

}  // namespace sluice::onnx
