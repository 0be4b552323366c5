#include "sluice/onnx/zoo/builder.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <iterator>
#include <optional>

#include "sluice/base/units.hpp"

namespace sluice::onnx::zoo {

namespace {
Shape broadcast(const Shape& a, const Shape& b) {
    const Shape& longer = a.size() >= b.size() ? a : b;
    const Shape& shorter = a.size() >= b.size() ? b : a;
    Shape shape = longer;
    const std::size_t skip = longer.size() - shorter.size();
    for (std::size_t i = 0; i < shorter.size(); ++i) {
        assert(shape[skip + i] == shorter[i] || shape[skip + i] == 1 || shorter[i] == 1);
        shape[skip + i] = std::max(shape[skip + i], shorter[i]);
    }
    return shape;
}

std::int64_t elements_of(const Shape& shape) {
    std::int64_t count = 1;
    for (std::int64_t size : shape) count *= size;
    return count;
}

/// Bytes with every step checked: the only place where sizes from the user are multiplied.
std::optional<std::int64_t> checked_bytes(const Shape& shape, Element element) {
    std::optional<std::int64_t> bytes = size_of(element);
    for (std::int64_t size : shape) {
        if (bytes) bytes = checked_multiply(*bytes, size);
    }
    return bytes;
}

void add_checked(std::int64_t& total, std::int64_t bytes, std::string_view what) {
    const auto sum = checked_add(total, bytes);
    if (!sum) refuse("the model's " + std::string(what) + " hold more than 2^63 bytes in total", "make its sizes smaller");
    total = *sum;
}
}  // namespace

void refuse(std::string message, std::string help) { throw Refusal{usage_error(std::move(message)).fix(std::move(help))}; }

std::string shape_to_text(const Shape& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    return text + "]";
}

std::int64_t size_of(Element element) {
    switch (element) {
        case Element::float32:
            return 4;
        case Element::int64:
            return 8;
        case Element::boolean:
            return 1;
    }
    assert(false);
    return 0;
}

std::int64_t bytes_of(const Value& value) { return elements_of(value.shape) * size_of(value.element); }

Value ModelBuilder::declare(std::string name, Shape shape, Element element) {
    assert(!name.empty());
    if (!checked_bytes(shape, element)) {
        refuse("tensor '" + name + "' of shape " + shape_to_text(shape) + " holds more than 2^63 bytes", "make its sizes smaller");
    }
    [[maybe_unused]] const bool fresh = names_.insert(name).second;
    assert(fresh && "two tensors of one name");
    return {std::move(name), std::move(shape), element};
}

Value ModelBuilder::initializer(Value value, Recipe recipe) {
    add_checked(model_.initializer_bytes, bytes_of(value), "parameters");
    model_.initializers.push_back({value, std::move(recipe)});
    return value;
}

void ModelBuilder::add_node(Node node) {
    if (std::ssize(model_.nodes) == kMostOperators) {
        refuse("'" + model_.name + "' of these sizes has more than " + std::to_string(kMostOperators) + " operators",
               "make its counts smaller");
    }
    model_.nodes.push_back(std::move(node));
}

Value ModelBuilder::input(std::string name, Shape shape, Element element) {
    Value value = declare(std::move(name), std::move(shape), element);
    add_checked(activation_bytes_, bytes_of(value), "activations");
    model_.inputs.push_back(value);
    return value;
}

void ModelBuilder::output(const Value& value) { model_.outputs.push_back(value); }

Value ModelBuilder::weight(std::string name, Shape shape, std::int64_t fan_in) {
    return parameter(std::move(name), std::move(shape), 0.0, 1.0 / std::sqrt(static_cast<double>(fan_in)));
}

Value ModelBuilder::parameter(std::string name, Shape shape, double mean, double deviation) {
    return initializer(declare(std::move(name), std::move(shape), Element::float32), Normal{mean, deviation});
}

Value ModelBuilder::integers(std::string name, std::vector<std::int64_t> values) {
    const auto count = static_cast<std::int64_t>(values.size());
    return initializer(declare(std::move(name), {count}, Element::int64), std::move(values));
}

Value ModelBuilder::scalar(std::string name, float value) { return initializer(declare(std::move(name), {}, Element::float32), value); }

Value ModelBuilder::range(std::string name, std::int64_t count) {
    return initializer(declare(std::move(name), {1, count}, Element::int64), Range{});
}

Value ModelBuilder::causal_mask(std::string name, std::int64_t sequence) {
    return initializer(declare(std::move(name), {1, 1, sequence, sequence}, Element::boolean), LowerTriangle{});
}

Value ModelBuilder::node(std::string_view type, std::string name, std::vector<std::string> inputs, Shape shape,
                         std::vector<Attribute> attributes, Element element) {
    Value value = declare(std::move(name), std::move(shape), element);
    add_checked(activation_bytes_, bytes_of(value), "activations");
    add_node({type, value.name, std::move(inputs), {value.name}, std::move(attributes)});
    model_.intermediates.push_back(value);
    return value;
}

Value ModelBuilder::unary(std::string_view type, std::string name, const Value& x) {
    return node(type, std::move(name), {x.name}, x.shape, {}, x.element);
}

Value ModelBuilder::binary(std::string_view type, std::string name, const Value& a, const Value& b) {
    return node(type, std::move(name), {a.name, b.name}, broadcast(a.shape, b.shape), {}, a.element);
}

Value ModelBuilder::with_scalar(std::string_view type, const std::string& name, const Value& x, float value) {
    return binary(type, name, x, scalar(name + ".scalar", value));
}

Value ModelBuilder::variadic(std::string_view type, std::string name, std::span<const Value> values) {
    std::vector<std::string> inputs;
    inputs.reserve(values.size());
    for (const Value& value : values) {
        assert(value.shape == values[0].shape);
        inputs.push_back(value.name);
    }
    return node(type, std::move(name), std::move(inputs), values[0].shape);
}

Value ModelBuilder::matmul(std::string name, const Value& a, const Value& b) {
    assert(a.shape.size() >= 2 && b.shape.size() >= 2 && a.shape.back() == b.shape[b.shape.size() - 2]);
    Shape shape = broadcast({a.shape.begin(), a.shape.end() - 2}, {b.shape.begin(), b.shape.end() - 2});
    shape.push_back(a.shape[a.shape.size() - 2]);
    shape.push_back(b.shape.back());
    return node("MatMul", std::move(name), {a.name, b.name}, std::move(shape));
}

Value ModelBuilder::reshape(const std::string& name, const Value& x, Shape shape) {
    assert(elements_of(shape) == elements_of(x.shape));
    const Value target = integers(name + ".shape", shape);
    return node("Reshape", name, {x.name, target.name}, std::move(shape), {}, x.element);
}

Value ModelBuilder::unsqueeze(const std::string& name, const Value& x, std::int64_t axis) {
    Shape shape = x.shape;
    shape.insert(shape.begin() + axis, 1);
    const Value axes = integers(name + ".axes", {axis});
    return node("Unsqueeze", name, {x.name, axes.name}, std::move(shape), {}, x.element);
}

Value ModelBuilder::transpose(std::string name, const Value& x, std::vector<std::int64_t> permutation) {
    Shape shape;
    for (std::int64_t axis : permutation) shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
    return node("Transpose", std::move(name), {x.name}, std::move(shape), {{"perm", std::move(permutation)}}, x.element);
}

Value ModelBuilder::flatten(std::string name, const Value& x) {
    return node("Flatten", std::move(name), {x.name}, {x.shape[0], elements_of({x.shape.begin() + 1, x.shape.end()})}, {{"axis", 1}});
}

Value ModelBuilder::concat(std::string name, std::span<const Value> values, std::size_t axis) {
    Shape shape = values[0].shape;
    shape[axis] = 0;
    std::vector<std::string> inputs;
    for (const Value& value : values) {
        const auto sum = checked_add(shape[axis], value.shape[axis]);
        if (!sum) refuse("axis " + std::to_string(axis) + " of tensor '" + name + "' is longer than 2^63", "make its sizes smaller");
        shape[axis] = *sum;
        inputs.push_back(value.name);
    }
    return node("Concat", std::move(name), std::move(inputs), std::move(shape), {{"axis", static_cast<std::int64_t>(axis)}});
}

Value ModelBuilder::gather(std::string name, const Value& table, const Value& indices, std::size_t axis) {
    Shape shape(table.shape.begin(), table.shape.begin() + static_cast<std::ptrdiff_t>(axis));
    shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
    shape.insert(shape.end(), table.shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, table.shape.end());
    return node("Gather", std::move(name), {table.name, indices.name}, std::move(shape), {{"axis", static_cast<std::int64_t>(axis)}},
                table.element);
}

Value ModelBuilder::cast(std::string name, const Value& x, Element element) {
    constexpr std::int64_t kOnnxType[] = {1, 7, 9};  // TensorProto.DataType: FLOAT, INT64, BOOL
    return node("Cast", std::move(name), {x.name}, x.shape, {{"to", kOnnxType[static_cast<std::size_t>(element)]}}, element);
}

Value ModelBuilder::softmax(std::string name, const Value& x) {
    return node("Softmax", std::move(name), {x.name}, x.shape, {{"axis", -1}});
}

std::vector<Value> ModelBuilder::split(const std::string& name, const Value& x, std::size_t axis, std::int64_t parts) {
    assert(x.shape[axis] % parts == 0);
    Shape shape = x.shape;
    shape[axis] /= parts;
    const Value sizes = integers(name + ".sizes", std::vector<std::int64_t>(static_cast<std::size_t>(parts), shape[axis]));
    Node node{"Split", name, {x.name, sizes.name}, {}, {{"axis", static_cast<std::int64_t>(axis)}}};
    std::vector<Value> values;
    for (std::int64_t i = 0; i < parts; ++i) {
        values.push_back(declare(name + "." + std::to_string(i), shape, x.element));
        add_checked(activation_bytes_, bytes_of(values.back()), "activations");
        model_.intermediates.push_back(values.back());
        node.outputs.push_back(values.back().name);
    }
    add_node(std::move(node));
    return values;
}

}  // namespace sluice::onnx::zoo
