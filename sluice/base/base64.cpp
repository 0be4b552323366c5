#include "sluice/base/base64.hpp"

#include <array>

namespace sluice {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNotInAlphabet = 64;

constexpr std::array<std::uint8_t, 256> kValues = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(kNotInAlphabet);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}();

}  // namespace

std::string to_base64(std::span<const std::uint8_t> bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t block = 0;
        for (std::size_t b = 0; b < 3; ++b) block = block << 8 | (i + b < bytes.size() ? bytes[i + b] : 0U);
        for (std::size_t c = 0; c < 4; ++c) text.push_back(i + c <= bytes.size() ? kAlphabet[block >> (18 - 6 * c) & 63] : '=');
    }
    return text;
}

std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    std::vector<std::uint8_t> bytes;
    bytes.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const std::size_t letters = i + 4 == text.size() ? 4 - padding : 4;
        std::uint32_t block = 0;
        for (std::size_t c = 0; c < 4; ++c) {
            const std::uint8_t value = c < letters ? kValues[static_cast<unsigned char>(text[i + c])] : std::uint8_t{0};
            if (value == kNotInAlphabet) return std::nullopt;
            block = block << 6 | value;
        }
        for (std::size_t b = 0; b < 3; ++b) {
            const auto byte = static_cast<std::uint8_t>(block >> (16 - 8 * b));
            if (b + 1 < letters)
                bytes.push_back(byte);
            else if (byte != 0)
                return std::nullopt;
        }
    }
    return bytes;
}

}  // namespace sluice
