#include "sluice/graph/features.hpp"

#include <algorithm>

namespace sluice::graph {

namespace {

constexpr std::array<std::string_view, kOperatorClasses> kClassNames{"matrix",    "convolution", "depthwise", "reduction", "elementwise",
                                                                     "embedding", "movement",    "view",      "control",   "unknown"};
constexpr std::array<std::string_view, kDataTypes> kTypeNames{"f64", "f32", "f16", "bf16",    "f8",   "i64",  "i32",
                                                              "i16", "i8",  "i4",  "boolean", "text", "other"};
/// Half-bytes an element: i4 packs two a byte. `other` is counted as the widest ONNX element, complex128.
constexpr std::array<std::int64_t, kDataTypes> kHalfBytes{16, 8, 4, 4, 2, 16, 8, 4, 2, 1, 2, 32, 32};

template <typename Enum, std::size_t n>
std::optional<Enum> parse(const std::array<std::string_view, n>& names, std::string_view text) {
    const auto found = std::ranges::find(names, text);
    if (found == names.end()) return std::nullopt;
    return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view to_text(OperatorClass operator_class) { return kClassNames[static_cast<std::size_t>(operator_class)]; }
std::optional<OperatorClass> parse_operator_class(std::string_view text) { return parse<OperatorClass>(kClassNames, text); }

std::string_view to_text(DataType type) { return kTypeNames[static_cast<std::size_t>(type)]; }
std::optional<DataType> parse_data_type(std::string_view text) { return parse<DataType>(kTypeNames, text); }

std::optional<Bytes> bytes_of(DataType type, std::int64_t elements) {
    if (elements < 0) return std::nullopt;
    const std::int64_t half_bytes = kHalfBytes[static_cast<std::size_t>(type)];
    if (half_bytes == 1) return Bytes{elements / 2 + elements % 2};
    std::int64_t bytes = 0;
    if (__builtin_mul_overflow(elements, half_bytes / 2, &bytes)) return std::nullopt;
    return Bytes{bytes};
}

}  // namespace sluice::graph
