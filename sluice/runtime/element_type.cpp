#include "sluice/runtime/element_type.hpp"

#include <algorithm>
#include <array>
#include <format>

#include "sluice/base/units.hpp"

namespace sluice::runtime {

namespace {

constexpr std::array kElementTypes{
    ElementType{1, "float32", "<f4", 4, true, false},   ElementType{2, "uint8", "|u1", 1, false, false},
    ElementType{3, "int8", "|i1", 1, false, false},     ElementType{4, "uint16", "<u2", 2, false, false},
    ElementType{5, "int16", "<i2", 2, false, false},    ElementType{6, "int32", "<i4", 4, false, false},
    ElementType{7, "int64", "<i8", 8, false, false},    ElementType{9, "bool", "|b1", 1, false, true},
    ElementType{10, "float16", "<f2", 2, true, false},  ElementType{11, "float64", "<f8", 8, true, false},
    ElementType{12, "uint32", "<u4", 4, false, false},  ElementType{13, "uint64", "<u8", 8, false, false},
    ElementType{16, "bfloat16", "|V2", 2, true, false},
};

}  // namespace

const ElementType* element_type(std::int32_t number) {
    const auto* found = std::ranges::find(kElementTypes, number, &ElementType::number);
    return found == kElementTypes.end() ? nullptr : found;
}

const ElementType* element_type(std::string_view descr) {
    if (descr.empty() || descr[0] == '>') return nullptr;
    const std::string_view kind = std::string_view("<=|").contains(descr[0]) ? descr.substr(1) : descr;
    const auto* found = std::ranges::find(kElementTypes, kind, [](const ElementType& type) { return type.descr.substr(1); });
    return found == kElementTypes.end() ? nullptr : found;
}

std::string element_type_name(std::int32_t number) {
    const ElementType* type = element_type(number);
    return type != nullptr ? std::string(type->name) : std::format("element type {}", number);
}

std::optional<std::int64_t> bytes_of(const ElementType& type, std::span<const std::int64_t> shape) {
    std::optional<std::int64_t> bytes = type.bytes;
    for (const std::int64_t size : shape) {
        if (size < 0) return std::nullopt;
        bytes = checked_multiply(*bytes, size);
        if (!bytes) return std::nullopt;
    }
    return bytes;
}

std::string shape_text(std::span<const std::int64_t> shape) {
    std::string text;
    for (const std::int64_t size : shape) text += std::format("{}{}", text.empty() ? "" : "x", size);
    return text.empty() ? "scalar" : text;
}

}  // namespace sluice::runtime
