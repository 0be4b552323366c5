#include "sluice/onnx/import/value.hpp"

#include <onnx/onnx_pb.h>

#include <bit>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "sluice/base/units.hpp"

namespace sluice::onnx {

namespace {

using Proto = ::onnx::TensorProto;

struct Range {
    std::int64_t low, high;
};

std::optional<Range> range_of(std::int32_t type) {
    switch (type) {
        case Proto::BOOL:
            return Range{0, 1};
        case Proto::INT8:
            return Range{-128, 127};
        case Proto::UINT8:
            return Range{0, 255};
        case Proto::INT16:
            return Range{-32768, 32767};
        case Proto::UINT16:
            return Range{0, 65535};
        case Proto::INT32:
            return Range{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
        case Proto::UINT32:
            return Range{0, std::numeric_limits<std::uint32_t>::max()};
        case Proto::INT64:
            return Range{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
        case Proto::UINT64:
            return Range{0, std::numeric_limits<std::int64_t>::max()};
        default:
            return std::nullopt;
    }
}

// Raw data is little-endian by ONNX's definition, as is every machine this runs on.
static_assert(std::endian::native == std::endian::little);

template <typename T>
bool read_raw(const std::string& raw, std::size_t count, Value& value) {
    if (raw.size() / sizeof(T) != count || raw.size() % sizeof(T) != 0) return false;
    for (std::size_t i = 0; i < count; ++i) {
        T element;
        std::memcpy(&element, raw.data() + i * sizeof(T), sizeof(T));
        if constexpr (std::is_floating_point_v<T>) {
            value.push({.real = element});
        } else {
            value.push({.integer = static_cast<std::int64_t>(element), .known = std::in_range<std::int64_t>(element)});
        }
    }
    return true;
}

template <typename Field>
bool read_field(const Field& field, std::size_t count, Value& value) {
    if (static_cast<std::size_t>(field.size()) != count) return false;
    for (const auto element : field) {
        if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(element)>>) {
            value.push({.real = element});
        } else {
            value.push({.integer = static_cast<std::int64_t>(element), .known = std::in_range<std::int64_t>(element)});
        }
    }
    return true;
}

bool read_raw(std::int32_t type, const std::string& raw, std::size_t count, Value& value) {
    switch (type) {
        case Proto::FLOAT:
            return read_raw<float>(raw, count, value);
        case Proto::DOUBLE:
            return read_raw<double>(raw, count, value);
        case Proto::BOOL:
        case Proto::UINT8:
            return read_raw<std::uint8_t>(raw, count, value);
        case Proto::INT8:
            return read_raw<std::int8_t>(raw, count, value);
        case Proto::INT16:
            return read_raw<std::int16_t>(raw, count, value);
        case Proto::UINT16:
            return read_raw<std::uint16_t>(raw, count, value);
        case Proto::INT32:
            return read_raw<std::int32_t>(raw, count, value);
        case Proto::UINT32:
            return read_raw<std::uint32_t>(raw, count, value);
        case Proto::INT64:
            return read_raw<std::int64_t>(raw, count, value);
        case Proto::UINT64:
            return read_raw<std::uint64_t>(raw, count, value);
        default:
            return false;
    }
}

bool read_fields(const Proto& tensor, std::size_t count, Value& value) {
    switch (tensor.data_type()) {
        case Proto::FLOAT:
            return read_field(tensor.float_data(), count, value);
        case Proto::DOUBLE:
            return read_field(tensor.double_data(), count, value);
        case Proto::INT64:
            return read_field(tensor.int64_data(), count, value);
        case Proto::UINT32:
        case Proto::UINT64:
            return read_field(tensor.uint64_data(), count, value);
        default:
            return read_field(tensor.int32_data(), count, value);
    }
}

}  // namespace

bool can_hold(std::int32_t type) { return type == Proto::FLOAT || type == Proto::DOUBLE || range_of(type).has_value(); }

std::optional<std::int64_t> element_count(const Shape& shape) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) {
        const auto product = checked_multiply(count, size);
        if (size < 0 || !product) return std::nullopt;
        count = *product;
    }
    return count;
}

bool is_small(const Shape& shape) {
    if (shape.size() > kLargestRank) return false;
    for (const std::int64_t size : shape) {
        if (size > kLargestValue) return false;
    }
    const auto count = element_count(shape);
    return count && *count <= kLargestValue;
}

bool Value::is_real() const { return type_ == Proto::FLOAT || type_ == Proto::DOUBLE; }

Number Value::operator[](std::size_t i) const {
    const bool known = unknown_.empty() || !unknown_[i];
    if (is_real()) return {.real = std::bit_cast<double>(words_[i]), .known = known};
    return {.integer = words_[i], .known = known};
}

void Value::push(Number number) {
    if (is_real()) {
        const double rounded = type_ == Proto::FLOAT ? static_cast<double>(static_cast<float>(number.real)) : number.real;
        words_.push_back(std::bit_cast<std::int64_t>(rounded));
    } else {
        const Range range = range_of(type_).value_or(Range{1, 0});
        if (number.integer < range.low || number.integer > range.high) number.known = false;
        words_.push_back(number.known ? number.integer : 0);
    }
    if (!number.known || !unknown_.empty()) {
        unknown_.resize(words_.size() - 1, false);
        unknown_.push_back(!number.known);
    }
}

std::optional<std::vector<std::int64_t>> Value::integers() const {
    if (is_real() || !all_known()) return std::nullopt;
    return words_;
}

Value Value::with_shape(Shape shape) const {
    Value result = *this;
    result.shape_ = std::move(shape);
    return result;
}

std::optional<Value> value_of(const Proto& tensor) {
    if (tensor.data_location() == Proto::EXTERNAL || tensor.has_segment() || !can_hold(tensor.data_type())) return std::nullopt;
    Value value(tensor.data_type(), {tensor.dims().begin(), tensor.dims().end()});
    if (!is_small(value.shape())) return std::nullopt;
    const auto size = static_cast<std::size_t>(*element_count(value.shape()));
    const bool read =
        tensor.has_raw_data() ? read_raw(tensor.data_type(), tensor.raw_data(), size, value) : read_fields(tensor, size, value);
    if (!read) return std::nullopt;
    return value;
}

void write_tensor(const Value& value, Proto& tensor) {
    tensor.Clear();
    tensor.set_data_type(value.type());
    for (const std::int64_t size : value.shape()) tensor.add_dims(size);
    for (std::size_t i = 0; i < value.size(); ++i) {
        const Number number = value[i];
        switch (value.type()) {
            case Proto::FLOAT:
                tensor.add_float_data(static_cast<float>(number.real));
                break;
            case Proto::DOUBLE:
                tensor.add_double_data(number.real);
                break;
            case Proto::INT64:
                tensor.add_int64_data(number.integer);
                break;
            case Proto::UINT32:
            case Proto::UINT64:
                tensor.add_uint64_data(static_cast<std::uint64_t>(number.integer));
                break;
            default:
                tensor.add_int32_data(static_cast<std::int32_t>(number.integer));
        }
    }
}

}  // namespace sluice::onnx
