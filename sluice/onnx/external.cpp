#include "sluice/onnx/external.hpp"

#include <bit>
#include <charconv>
#include <cstring>
#include <format>

#include "sluice/base/units.hpp"
#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {

namespace {
using ::onnx::TensorProto;
static_assert(std::endian::native == std::endian::little, "ONNX raw data is little-endian");

std::int64_t number_of(const std::string& text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

template <typename Stored, typename Field>
std::string packed(const Field& field) {
    std::string bytes(static_cast<std::size_t>(field.size()) * sizeof(Stored), '\0');
    for (int i = 0; i < field.size(); ++i) {
        const auto value = static_cast<Stored>(field.Get(i));
        std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof(Stored), &value, sizeof(Stored));
    }
    return bytes;
}
}  // namespace

ExternalData external_of(const TensorProto& tensor) {
    ExternalData data{.location = {}, .offset = 0, .bytes = data_bytes(tensor)};
    for (const auto& entry : tensor.external_data()) {
        if (entry.key() == "location") data.location = entry.value();
        if (entry.key() == "offset") data.offset = number_of(entry.value());
    }
    return data;
}

void set_external(TensorProto& tensor, const ExternalData& data) {
    tensor.clear_raw_data();
    tensor.clear_float_data();
    tensor.clear_double_data();
    tensor.clear_int32_data();
    tensor.clear_int64_data();
    tensor.clear_uint64_data();
    tensor.clear_external_data();
    tensor.set_data_location(TensorProto::EXTERNAL);
    const auto set = [&](const char* key, std::string value) {
        auto& entry = *tensor.add_external_data();
        entry.set_key(key);
        entry.set_value(std::move(value));
    };
    set("location", data.location);
    set("offset", std::to_string(data.offset));
    set("length", std::to_string(data.bytes));
}

std::int64_t data_bytes(const TensorProto& tensor) {
    return bytes_of(tensor.data_type(), {tensor.dims().begin(), tensor.dims().end()}).value_or(Bytes{}).count;
}

bool is_absent(const TensorProto& tensor) {
    if (is_external(tensor) || tensor.has_raw_data() || data_bytes(tensor) == 0) return false;
    return tensor.float_data().empty() && tensor.double_data().empty() && tensor.int32_data().empty() && tensor.int64_data().empty() &&
           tensor.uint64_data().empty() && tensor.string_data().empty();
}

std::optional<std::string> embedded_bytes(const TensorProto& tensor) {
    if (tensor.has_raw_data()) return tensor.raw_data();
    switch (tensor.data_type()) {
        case TensorProto::FLOAT:
        case TensorProto::COMPLEX64:
            return packed<float>(tensor.float_data());
        case TensorProto::DOUBLE:
        case TensorProto::COMPLEX128:
            return packed<double>(tensor.double_data());
        case TensorProto::INT64:
            return packed<std::int64_t>(tensor.int64_data());
        case TensorProto::UINT64:
            return packed<std::uint64_t>(tensor.uint64_data());
        case TensorProto::UINT32:
            return packed<std::uint32_t>(tensor.uint64_data());
        case TensorProto::INT32:
            return packed<std::int32_t>(tensor.int32_data());
        case TensorProto::INT16:
        case TensorProto::UINT16:
        case TensorProto::FLOAT16:
        case TensorProto::BFLOAT16:
            return packed<std::uint16_t>(tensor.int32_data());
        case TensorProto::INT8:
        case TensorProto::UINT8:
        case TensorProto::BOOL:
            return packed<std::uint8_t>(tensor.int32_data());
        default:
            return std::nullopt;
    }
}

Diagnostic absent_weights(const std::filesystem::path& model, std::string_view what) {
    return input_error(std::format("the weights of '{}' are not there: {}", model.string(), what))
        .fix("put the weight file beside the model; or run the structure alone, with made-up weights: --weights random");
}

Result<std::filesystem::path> find_weights(const std::filesystem::path& model, const ExternalData& data, std::string_view tensor) {
    const std::filesystem::path file = model.parent_path() / data.location;
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    if (error) return fail(absent_weights(model, std::format("'{}' ({}), which '{}' is in", file.string(), error.message(), tensor)));
    const auto end = checked_add(data.offset, data.bytes);
    if (end && static_cast<std::uintmax_t>(*end) <= size) return file;
    return fail(absent_weights(model, std::format("'{}' ends after {} bytes, and '{}' takes {} from byte {}", file.string(), size, tensor,
                                                  data.bytes, data.offset)));
}

void for_each_initializer(::onnx::GraphProto& graph, const std::function<void(TensorProto&)>& f) {
    for (auto& tensor : *graph.mutable_initializer()) f(tensor);
    for (auto& tensor : *graph.mutable_sparse_initializer()) f(*tensor.mutable_values());
    for (auto& node : *graph.mutable_node()) {
        for (auto& attribute : *node.mutable_attribute()) {
            if (attribute.has_g()) for_each_initializer(*attribute.mutable_g(), f);
            for (auto& body : *attribute.mutable_graphs()) for_each_initializer(body, f);
        }
    }
}

}  // namespace sluice::onnx
