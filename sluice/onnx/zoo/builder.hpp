// Builds ONNX models as plain values: named tensors with known shapes, nodes, weights by recipe. Each helper computes its output's shape,
// so the file needs no inference. Node and tensor share a name ("layer3.attention.query"). No weight data exists until a file is written;
// sizes are refused (Refusal) before anything of that size is allocated. Linear in nodes; deterministic.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::onnx::zoo {

/// Thrown where a size makes no model; caught in registry.cpp and never leaves the zoo.
struct Refusal {
    Diagnostic diagnostic;
};
[[noreturn]] void refuse(std::string message, std::string help);

inline constexpr std::int64_t kMostOperators = 250'000;  // of one model

using Shape = std::vector<std::int64_t>;
[[nodiscard]] std::string shape_to_text(const Shape& shape);

enum class Element : std::uint8_t { float32, int64, boolean };
[[nodiscard]] std::int64_t size_of(Element element);

struct Value {
    std::string name;
    Shape shape;
    Element element = Element::float32;
};
/// Bytes of a value the builder has accepted.
[[nodiscard]] std::int64_t bytes_of(const Value& value);

struct Attribute {
    std::string_view name;  // a literal
    std::variant<std::int64_t, float, std::string_view, std::vector<std::int64_t>> value;
};

struct Node {
    std::string_view type;  // a literal
    std::string name;
    std::vector<std::string> inputs, outputs;
    std::vector<Attribute> attributes;
};

/// How an initializer's data is made when a file needs it.
struct Normal {
    double mean, deviation;
};  // seeded, see fill.hpp
struct Range {};          // 0, 1, 2, … (int64)
struct LowerTriangle {};  // true at and below the diagonal of the last two axes (bool)
using Recipe = std::variant<Normal, Range, LowerTriangle, std::vector<std::int64_t>, float>;

struct Initializer {
    Value value;
    Recipe recipe;
};

struct Model {
    std::string name;
    std::string description;  // the whole specification, sizes included
    std::vector<Value> inputs, outputs, intermediates;
    std::vector<Node> nodes;
    std::vector<Initializer> initializers;
    std::int64_t initializer_bytes = 0;
};

class ModelBuilder {
public:
    explicit ModelBuilder(std::string name) { model_.name = std::move(name); }

    Value input(std::string name, Shape shape, Element element = Element::float32);
    /// Values named here become model outputs.
    void output(const Value& value);

    /// A weight of deviation 1/sqrt(fan_in), so that activations keep their scale.
    Value weight(std::string name, Shape shape, std::int64_t fan_in);
    Value parameter(std::string name, Shape shape, double mean, double deviation);
    Value integers(std::string name, std::vector<std::int64_t> values);
    Value scalar(std::string name, float value);
    Value range(std::string name, std::int64_t count);           // int64 [1, count]
    Value causal_mask(std::string name, std::int64_t sequence);  // bool [1, 1, sequence, sequence]

    /// Any operator with one output called `name`.
    Value node(std::string_view type, std::string name, std::vector<std::string> inputs, Shape shape,
               std::vector<Attribute> attributes = {}, Element element = Element::float32);

    Value unary(std::string_view type, std::string name, const Value& x);
    Value binary(std::string_view type, std::string name, const Value& a, const Value& b);  // broadcasts
    Value with_scalar(std::string_view type, const std::string& name, const Value& x, float scalar);
    Value variadic(std::string_view type, std::string name, std::span<const Value> values);  // Sum, Mean, Max of one shape
    Value matmul(std::string name, const Value& a, const Value& b);
    Value reshape(const std::string& name, const Value& x, Shape shape);
    Value unsqueeze(const std::string& name, const Value& x, std::int64_t axis);
    Value transpose(std::string name, const Value& x, std::vector<std::int64_t> permutation);
    Value flatten(std::string name, const Value& x);  // [first, rest]
    Value concat(std::string name, std::span<const Value> values, std::size_t axis);
    Value gather(std::string name, const Value& table, const Value& indices, std::size_t axis = 0);
    Value cast(std::string name, const Value& x, Element element);
    Value softmax(std::string name, const Value& x);  // last axis
    std::vector<Value> split(const std::string& name, const Value& x, std::size_t axis, std::int64_t parts);

    [[nodiscard]] Model take() && { return std::move(model_); }

private:
    Value declare(std::string name, Shape shape, Element element);
    Value initializer(Value value, Recipe recipe);
    void add_node(Node node);

    Model model_;
    std::unordered_set<std::string> names_;
    std::int64_t activation_bytes_ = 0;
};

}  // namespace sluice::onnx::zoo
