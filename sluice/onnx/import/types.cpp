#include "sluice/onnx/import/types.hpp"

#include <format>

#include "sluice/onnx/features.hpp"

namespace sluice::onnx {

std::optional<Shape> full_shape(const ::onnx::TypeProto& type) {
    if (!type.has_tensor_type() || !type.tensor_type().has_shape()) return std::nullopt;
    Shape shape;
    for (const auto& size : type.tensor_type().shape().dim()) {
        if (!size.has_dim_value()) return std::nullopt;
        shape.push_back(size.dim_value());
    }
    return shape;
}

bool has_open_size(const ::onnx::TypeProto& type) { return !full_shape(type).has_value(); }

bool is_closed(const ::onnx::TypeProto& type) {
    return type.has_tensor_type() && type.tensor_type().elem_type() != ::onnx::TensorProto::UNDEFINED && full_shape(type);
}

void set_shape(::onnx::TypeProto& type, const Shape& shape) {
    auto* proto = type.mutable_tensor_type()->mutable_shape();
    proto->clear_dim();
    for (const std::int64_t size : shape) proto->add_dim()->set_dim_value(size);
}

std::string shape_text(const ::onnx::TypeProto& type) {
    if (type.has_sequence_type() || type.has_optional_type() || type.has_map_type()) return "a sequence";
    if (!type.has_tensor_type() || !type.tensor_type().has_shape()) return "of unknown rank";
    std::string text;
    for (const auto& size : type.tensor_type().shape().dim()) {
        if (!text.empty()) text += ", ";
        text += size.has_dim_value() ? std::to_string(size.dim_value()) : size.dim_param().empty() ? "?" : size.dim_param();
    }
    return "[" + text + "]";
}

::onnx::TypeProto join(const ::onnx::TypeProto& a, const ::onnx::TypeProto& b) {
    ::onnx::TypeProto result;
    if (!a.has_tensor_type() || !b.has_tensor_type()) return a.value_case() == b.value_case() ? a : result;
    auto& tensor = *result.mutable_tensor_type();
    if (a.tensor_type().elem_type() == b.tensor_type().elem_type()) tensor.set_elem_type(a.tensor_type().elem_type());
    if (!a.tensor_type().has_shape() || !b.tensor_type().has_shape()) return result;
    const auto& x = a.tensor_type().shape();
    const auto& y = b.tensor_type().shape();
    if (x.dim_size() != y.dim_size()) return result;
    tensor.mutable_shape();
    for (int d = 0; d < x.dim_size(); ++d) {
        auto* size = tensor.mutable_shape()->add_dim();
        if (x.dim(d).has_dim_value() && y.dim(d).has_dim_value() && x.dim(d).dim_value() == y.dim(d).dim_value())
            size->set_dim_value(x.dim(d).dim_value());
    }
    return result;
}

std::optional<Bytes> bytes_of(std::int32_t element_type, const Shape& shape) {
    const auto type = data_type_of(element_type);
    const auto elements = element_count(shape);
    if (!type || !elements) return std::nullopt;
    if (*type != graph::DataType::other) return graph::bytes_of(*type, *elements);
    const auto bytes = checked_multiply(*elements, element_type == ::onnx::TensorProto::COMPLEX64 ? 8 : 16);
    return bytes ? std::optional(Bytes{*bytes}) : std::nullopt;
}

bool same_type(const ::onnx::TypeProto& a, const ::onnx::TypeProto& b) {
    if (a.value_case() != b.value_case()) return false;
    if (!a.has_tensor_type()) return true;
    const auto& x = a.tensor_type();
    const auto& y = b.tensor_type();
    if (x.elem_type() != y.elem_type() || x.has_shape() != y.has_shape() || x.shape().dim_size() != y.shape().dim_size()) return false;
    for (int d = 0; d < x.shape().dim_size(); ++d) {
        if (x.shape().dim(d).has_dim_value() != y.shape().dim(d).has_dim_value() ||
            x.shape().dim(d).dim_value() != y.shape().dim(d).dim_value())
            return false;
    }
    return true;
}

}  // namespace sluice::onnx
