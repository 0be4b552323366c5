#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "sluice/base/units.hpp"
#include "sluice/onnx/import/evaluate.hpp"

namespace sluice::onnx {

namespace {

using Proto = ::onnx::TensorProto;

/// A value of `shape` whose element at each position is data[offset(position)].
template <typename Offset>
std::vector<Value> pick(const Value& data, const Shape& shape, Offset offset) {
    if (!is_small(shape)) return {};
    const std::int64_t count = *element_count(shape);
    Value result(data.type(), shape);
    Walk walk(shape, Shape(shape.size(), 0));
    for (std::int64_t i = 0; i < count; ++i, walk.next()) {
        const std::optional<std::int64_t> from = offset(walk.position());
        if (!from || *from < 0 || static_cast<std::size_t>(*from) >= data.size()) return {};
        result.push(data[static_cast<std::size_t>(*from)]);
    }
    return {std::move(result)};
}

std::int64_t dot(const Shape& position, const Shape& strides) {
    std::int64_t sum = 0;
    for (std::size_t d = 0; d < position.size(); ++d) sum += position[d] * strides[d];
    return sum;
}

std::vector<Value> reshaped(const Value& data, Shape shape) {
    if (!is_small(shape) || static_cast<std::size_t>(*element_count(shape)) != data.size()) return {};
    return {data.with_shape(std::move(shape))};
}

std::vector<Value> constant(const Evaluation& e) {
    for (const auto& attribute : e.node.attribute()) {
        const auto count = [&](int size) { return std::vector<std::int64_t>{size}; };
        if (attribute.name() == "value") {
            auto value = value_of(attribute.t());
            return value ? std::vector{std::move(*value)} : std::vector<Value>{};
        }
        Value value;
        if (attribute.name() == "value_int") {
            value = Value(Proto::INT64, {});
            value.push({.integer = attribute.i()});
        } else if (attribute.name() == "value_float") {
            value = Value(Proto::FLOAT, {});
            value.push({.real = attribute.f()});
        } else if (attribute.name() == "value_ints" && attribute.ints_size() <= kLargestValue) {
            value = Value(Proto::INT64, count(attribute.ints_size()));
            for (const auto x : attribute.ints()) value.push({.integer = x});
        } else if (attribute.name() == "value_floats" && attribute.floats_size() <= kLargestValue) {
            value = Value(Proto::FLOAT, count(attribute.floats_size()));
            for (const auto x : attribute.floats()) value.push({.real = x});
        } else {
            continue;
        }
        return {std::move(value)};
    }
    return {};
}

std::vector<Value> constant_of_shape(const Evaluation& e) {
    const auto shape = e.value(0) ? e.value(0)->integers() : std::nullopt;
    if (!shape || !is_small(*shape)) return {};
    Value filling(Proto::FLOAT, {1});
    filling.push({});
    if (const auto* attribute = e.attribute("value")) {
        auto given = value_of(attribute->t());
        if (!given || given->size() != 1) return {};
        filling = std::move(*given);
    }
    Value result(filling.type(), *shape);
    for (std::int64_t i = *element_count(*shape); i > 0; --i) result.push(filling[0]);
    return {std::move(result)};
}

std::vector<Value> shape_of(const Evaluation& e) {
    if (!e.has(0) || !e.inputs[0].type->has_tensor_type() || !e.inputs[0].type->tensor_type().has_shape()) return {};
    const auto& shape = e.inputs[0].type->tensor_type().shape();
    const std::int64_t rank = shape.dim_size();
    const auto clamp = [&](std::int64_t axis) { return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank); };
    const std::int64_t start = clamp(e.integer("start", 0));
    const std::int64_t end = e.attribute("end") ? clamp(e.integer("end", 0)) : rank;
    Value result(Proto::INT64, {std::max<std::int64_t>(end - start, 0)});
    for (std::int64_t d = start; d < end; ++d) {
        const auto& size = shape.dim(static_cast<int>(d));
        result.push(size.has_dim_value() ? Number{.integer = size.dim_value()} : kUnknown);
    }
    return {std::move(result)};
}

std::vector<Value> size_of(const Evaluation& e) {
    const auto shape = shape_of(e);
    const auto sizes = shape.empty() ? std::nullopt : shape.front().integers();
    const auto count = sizes ? element_count(*sizes) : std::nullopt;
    if (!count) return {};
    Value result(Proto::INT64, {});
    result.push({.integer = *count});
    return {std::move(result)};
}

std::vector<Value> identity(const Evaluation& e) { return e.value(0) ? std::vector{*e.value(0)} : std::vector<Value>{}; }

std::vector<Value> gather(const Evaluation& e) {
    const Value* data = e.value(0);
    const auto indices = e.value(1) ? e.value(1)->integers() : std::nullopt;
    const auto axis = data ? axis_from_front(e.integer("axis", 0), data->shape().size()) : std::nullopt;
    if (!indices || !axis) return {};
    const std::int64_t size = data->shape()[*axis];
    const Shape& index_shape = e.value(1)->shape();
    Shape shape(data->shape().begin(), data->shape().begin() + static_cast<std::ptrdiff_t>(*axis));
    shape.insert(shape.end(), index_shape.begin(), index_shape.end());
    shape.insert(shape.end(), data->shape().begin() + static_cast<std::ptrdiff_t>(*axis) + 1, data->shape().end());
    const Shape strides = strides_of(data->shape()), index_strides = strides_of(index_shape);
    return pick(*data, shape, [&](const Shape& position) -> std::optional<std::int64_t> {
        std::int64_t offset = 0, chosen = 0;
        for (std::size_t d = 0; d < position.size(); ++d) {
            if (d < *axis)
                offset += position[d] * strides[d];
            else if (d < *axis + index_shape.size())
                chosen += position[d] * index_strides[d - *axis];
            else
                offset += position[d] * strides[d - index_shape.size() + 1];
        }
        const std::int64_t index = (*indices)[static_cast<std::size_t>(chosen)];
        if (index < -size || index >= size) return std::nullopt;
        return offset + (index < 0 ? index + size : index) * strides[*axis];
    });
}

std::vector<Value> concat(const Evaluation& e) {
    if (e.inputs.empty() || !e.value(0)) return {};
    const auto axis = axis_from_front(e.integer("axis", 0), e.value(0)->shape().size());
    if (!axis) return {};
    Shape shape = e.value(0)->shape();
    shape[*axis] = 0;
    for (std::size_t i = 0; i < e.inputs.size(); ++i) {
        const Value* part = e.value(i);
        if (!part || part->type() != e.value(0)->type() || part->shape().size() != shape.size()) return {};
        for (std::size_t d = 0; d < shape.size(); ++d) {
            if (d != *axis && part->shape()[d] != shape[d]) return {};
        }
        shape[*axis] += part->shape()[*axis];
    }
    if (!is_small(shape)) return {};
    std::size_t outer = 1;
    for (std::size_t d = 0; d < *axis; ++d) outer *= static_cast<std::size_t>(shape[d]);
    Value result(e.value(0)->type(), shape);
    for (std::size_t row = 0; row < outer; ++row) {
        for (std::size_t i = 0; i < e.inputs.size(); ++i) {
            const std::size_t width = e.value(i)->size() / outer;
            for (std::size_t k = 0; k < width; ++k) result.push((*e.value(i))[row * width + k]);
        }
    }
    return {std::move(result)};
}

std::vector<Value> slice(const Evaluation& e) {
    const Value* data = e.value(0);
    const auto starts = e.integers("starts", 1), ends = e.integers("ends", 2), axes = e.integers("axes", 3), steps = e.integers("steps", 4);
    if (!data || !starts || !*starts || !ends || !*ends || !axes || !steps || (*starts)->size() != (*ends)->size()) return {};
    const std::size_t rank = data->shape().size();
    Shape shape = data->shape(), begin(rank, 0), step(rank, 1);
    for (std::size_t i = 0; i < (*starts)->size(); ++i) {
        if ((*axes && i >= (*axes)->size()) || (*steps && i >= (*steps)->size())) return {};
        const auto d = axis_from_front(*axes ? (**axes)[i] : static_cast<std::int64_t>(i), rank);
        const std::int64_t stride = *steps ? (**steps)[i] : 1;
        if (!d || stride == 0 || stride < -(std::int64_t{1} << 31)) return {};
        const std::int64_t size = data->shape()[*d];
        const auto clamp = [&](std::int64_t index) {
            if (index < 0) index = std::max(index, -size - 1) + size;
            return stride > 0 ? std::clamp<std::int64_t>(index, 0, size) : std::clamp<std::int64_t>(index, -1, size - 1);
        };
        begin[*d] = stride < 0 && size == 0 ? 0 : clamp((**starts)[i]);
        const std::int64_t end = stride < 0 && size == 0 ? 0 : clamp((**ends)[i]);
        const std::int64_t span = stride > 0 ? end - begin[*d] : begin[*d] - end;
        const std::int64_t length = stride > 0 ? stride : -stride;
        shape[*d] = span <= 0 ? 0 : (span - 1) / length + 1;
        step[*d] = stride;
    }
    const Shape strides = strides_of(data->shape());
    return pick(*data, shape, [&](const Shape& position) -> std::optional<std::int64_t> {
        std::int64_t offset = 0;
        for (std::size_t d = 0; d < rank; ++d) offset += (begin[d] + position[d] * step[d]) * strides[d];
        return offset;
    });
}

std::vector<Value> unsqueeze(const Evaluation& e) {
    const Value* data = e.value(0);
    const auto axes = e.integers("axes", 1);
    if (!data || !axes || !*axes) return {};
    const std::size_t rank = data->shape().size() + (*axes)->size();
    std::vector<char> added(rank, 0);
    for (const std::int64_t axis : **axes) {
        const auto d = axis_from_front(axis, rank);
        if (!d || added[*d]) return {};
        added[*d] = 1;
    }
    Shape shape;
    std::size_t next = 0;
    for (std::size_t d = 0; d < rank; ++d) shape.push_back(added[d] ? 1 : data->shape()[next++]);
    return reshaped(*data, std::move(shape));
}

std::vector<Value> squeeze(const Evaluation& e) {
    const Value* data = e.value(0);
    const auto axes = e.integers("axes", 1);
    if (!data || !axes) return {};
    const std::size_t rank = data->shape().size();
    std::vector<char> dropped(rank, 0);
    for (std::size_t d = 0; d < rank; ++d) dropped[d] = !*axes && data->shape()[d] == 1;
    for (const std::int64_t axis : axes->value_or(Shape{})) {
        const auto d = axis_from_front(axis, rank);
        if (!d || data->shape()[*d] != 1) return {};
        dropped[*d] = 1;
    }
    Shape shape;
    for (std::size_t d = 0; d < rank; ++d) {
        if (!dropped[d]) shape.push_back(data->shape()[d]);
    }
    return reshaped(*data, std::move(shape));
}

std::vector<Value> reshape(const Evaluation& e) {
    const Value* data = e.value(0);
    auto shape = e.value(1) ? e.value(1)->integers() : std::nullopt;
    if (!data || !shape) return {};
    std::int64_t known = 1;
    std::optional<std::size_t> open;
    for (std::size_t d = 0; d < shape->size(); ++d) {
        auto& size = (*shape)[d];
        if (size == 0 && e.integer("allowzero", 0) == 0) {
            if (d >= data->shape().size()) return {};
            size = data->shape()[d];
        }
        if (size == -1) {
            if (open) return {};
            open = d;
            continue;
        }
        const auto product = checked_multiply(known, size);
        if (!product) return {};
        known = *product;
    }
    if (open) {
        if (known <= 0) return {};
        (*shape)[*open] = static_cast<std::int64_t>(data->size()) / known;
    }
    return reshaped(*data, std::move(*shape));
}

std::vector<Value> flatten(const Evaluation& e) {
    const Value* data = e.value(0);
    if (!data) return {};
    const auto rank = static_cast<std::int64_t>(data->shape().size());
    std::int64_t axis = e.integer("axis", 1);
    if (axis < -rank || axis > rank) return {};
    if (axis < 0) axis += rank;
    const auto rows = element_count(Shape(data->shape().begin(), data->shape().begin() + axis));
    const auto columns = element_count(Shape(data->shape().begin() + axis, data->shape().end()));
    if (!rows || !columns) return {};
    return reshaped(*data, {*rows, *columns});
}

std::vector<Value> expand(const Evaluation& e) {
    const Value* data = e.value(0);
    const auto target = e.value(1) ? e.value(1)->integers() : std::nullopt;
    const auto shape = data && target ? broadcast(data->shape(), *target) : std::nullopt;
    if (!shape) return {};
    const Shape strides = strides_of(data->shape(), *shape);
    return pick(*data, *shape, [&](const Shape& position) -> std::optional<std::int64_t> { return dot(position, strides); });
}

std::vector<Value> tile(const Evaluation& e) {
    const Value* data = e.value(0);
    const auto repeats = e.value(1) ? e.value(1)->integers() : std::nullopt;
    if (!data || !repeats || repeats->size() != data->shape().size()) return {};
    Shape shape;
    for (std::size_t d = 0; d < repeats->size(); ++d) {
        const auto size = checked_multiply(data->shape()[d], (*repeats)[d]);
        if (!size || *size < 0) return {};
        shape.push_back(*size);
    }
    const Shape strides = strides_of(data->shape());
    return pick(*data, shape, [&](const Shape& position) -> std::optional<std::int64_t> {
        std::int64_t offset = 0;
        for (std::size_t d = 0; d < position.size(); ++d) offset += position[d] % data->shape()[d] * strides[d];
        return offset;
    });
}

std::vector<Value> transpose(const Evaluation& e) {
    const Value* data = e.value(0);
    if (!data) return {};
    const std::size_t rank = data->shape().size();
    const auto given = e.integers("perm");
    Shape shape, strides;
    std::vector<char> seen(rank, 0);
    for (std::size_t d = 0; d < rank; ++d) {
        const std::int64_t from = given ? (d < given->size() ? (*given)[d] : -1) : static_cast<std::int64_t>(rank - 1 - d);
        if (from < 0 || static_cast<std::size_t>(from) >= rank || seen[static_cast<std::size_t>(from)]) return {};
        seen[static_cast<std::size_t>(from)] = 1;
        shape.push_back(data->shape()[static_cast<std::size_t>(from)]);
        strides.push_back(strides_of(data->shape())[static_cast<std::size_t>(from)]);
    }
    return pick(*data, shape, [&](const Shape& position) -> std::optional<std::int64_t> { return dot(position, strides); });
}

std::vector<Value> range(const Evaluation& e) {
    if (e.inputs.size() != 3) return {};
    for (std::size_t i = 0; i < 3; ++i) {
        if (!e.value(i) || e.value(i)->size() != 1 || !e.value(i)->all_known() || e.value(i)->type() != e.value(0)->type()) return {};
    }
    const Number start = (*e.value(0))[0], limit = (*e.value(1))[0], delta = (*e.value(2))[0];
    const bool real = e.value(0)->is_real();
    const double width = real ? limit.real - start.real : static_cast<double>(limit.integer) - static_cast<double>(start.integer);
    const double count = std::ceil(width / (real ? delta.real : static_cast<double>(delta.integer)));
    if (!(count <= static_cast<double>(kLargestValue))) return {};
    const auto size = static_cast<std::int64_t>(std::max(count, 0.0));
    Value result(e.value(0)->type(), {size});
    for (std::int64_t i = 0; i < size; ++i) {
        const auto shift = checked_multiply(i, delta.integer);
        const auto element = shift ? checked_add(start.integer, *shift) : std::nullopt;
        if (real)
            result.push({.real = start.real + static_cast<double>(i) * delta.real});
        else
            result.push(element ? Number{.integer = *element} : kUnknown);
    }
    return {std::move(result)};
}

std::vector<Value> split(const Evaluation& e) {
    const Value* data = e.value(0);
    const auto given = e.integers("split", 1);
    const auto axis = data ? axis_from_front(e.integer("axis", 0), data->shape().size()) : std::nullopt;
    const std::int64_t parts = e.node.output_size();
    if (!axis || !given || parts == 0) return {};
    const std::int64_t size = data->shape()[*axis];
    const std::int64_t chunk = (size + parts - 1) / parts;
    const Shape strides = strides_of(data->shape());
    std::vector<Value> results;
    std::int64_t begin = 0;
    for (std::int64_t part = 0; part < parts; ++part) {
        if (*given && static_cast<std::size_t>(part) >= (*given)->size()) return {};
        Shape shape = data->shape();
        shape[*axis] = *given ? (**given)[static_cast<std::size_t>(part)] : std::min(chunk, size - begin);
        if (shape[*axis] < 0 || shape[*axis] > size - begin) return {};
        auto piece = pick(*data, shape, [&](const Shape& position) -> std::optional<std::int64_t> {
            return dot(position, strides) + begin * strides[*axis];
        });
        if (piece.empty()) return {};
        begin += shape[*axis];
        results.push_back(std::move(piece.front()));
    }
    return results;
}

std::vector<Value> non_zero(const Evaluation& e) {
    const Value* data = e.value(0);
    if (!data || !data->all_known()) return {};
    const std::size_t rank = data->shape().size();
    std::vector<Shape> positions;
    Walk walk(data->shape(), Shape(rank, 0));
    for (std::size_t i = 0; i < data->size(); ++i, walk.next()) {
        const Number x = (*data)[i];
        if (data->is_real() ? x.real != 0 : x.integer != 0) positions.push_back(walk.position());
    }
    if (static_cast<std::int64_t>(rank * positions.size()) > kLargestValue) return {};
    Value result(Proto::INT64, {static_cast<std::int64_t>(rank), static_cast<std::int64_t>(positions.size())});
    for (std::size_t d = 0; d < rank; ++d) {
        for (const Shape& position : positions) result.push({.integer = position[d]});
    }
    return {std::move(result)};
}

/// data with updates written at the rows that indices name; what list assignment in a traced model becomes.
std::vector<Value> scatter_nd(const Evaluation& e) {
    const Value* data = e.value(0);
    const auto indices = e.value(1) ? e.value(1)->integers() : std::nullopt;
    const Value* updates = e.value(2);
    const auto* reduction = e.attribute("reduction");
    if (!data || !indices || !updates || updates->type() != data->type() || (reduction && reduction->s() != "none")) return {};
    const Shape& index_shape = e.value(1)->shape();
    if (index_shape.empty() || index_shape.back() < 1 || static_cast<std::size_t>(index_shape.back()) > data->shape().size()) return {};
    const auto depth = static_cast<std::size_t>(index_shape.back());
    const Shape strides = strides_of(data->shape());
    const auto width =
        static_cast<std::size_t>(*element_count(Shape(data->shape().begin() + static_cast<std::ptrdiff_t>(depth), data->shape().end())));
    const std::size_t rows = indices->size() / depth;
    if (updates->size() != rows * width) return {};
    std::vector<Number> elements;
    for (std::size_t i = 0; i < data->size(); ++i) elements.push_back((*data)[i]);
    for (std::size_t row = 0; row < rows; ++row) {
        std::int64_t offset = 0;
        for (std::size_t d = 0; d < depth; ++d) {
            const std::int64_t size = data->shape()[d];
            const std::int64_t index = (*indices)[row * depth + d];
            if (index < -size || index >= size) return {};
            offset += (index < 0 ? index + size : index) * strides[d];
        }
        for (std::size_t k = 0; k < width; ++k) elements[static_cast<std::size_t>(offset) + k] = (*updates)[row * width + k];
    }
    Value result(data->type(), data->shape());
    for (const Number element : elements) result.push(element);
    return {std::move(result)};
}

}  // namespace

Evaluator find_layout(std::string_view op_type) {
    static const std::unordered_map<std::string_view, Evaluator> kTable{{"Constant", constant},   {"ConstantOfShape", constant_of_shape},
                                                                        {"Shape", shape_of},      {"Size", size_of},
                                                                        {"Identity", identity},   {"Gather", gather},
                                                                        {"Concat", concat},       {"Slice", slice},
                                                                        {"Unsqueeze", unsqueeze}, {"Squeeze", squeeze},
                                                                        {"Reshape", reshape},     {"Flatten", flatten},
                                                                        {"Expand", expand},       {"Tile", tile},
                                                                        {"Transpose", transpose}, {"Range", range},
                                                                        {"Split", split},         {"NonZero", non_zero},
                                                                        {"ScatterND", scatter_nd}};
    const auto found = kTable.find(op_type);
    return found == kTable.end() ? nullptr : found->second;
}

}  // namespace sluice::onnx
