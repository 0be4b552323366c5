#include "sluice/report/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <format>

#include "sluice/base/units.hpp"

namespace sluice::report {

namespace {

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// Bytes of the well-formed UTF-8 code point at `at`; 0 when there is none (overlong forms, surrogates and > U+10FFFF are none).
std::size_t code_point_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(at);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xC2 && lead < 0xE0 ? 2
                               : lead >= 0xE0 && lead < 0xF0 ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4
                                                             : 0;
    if (length == 0 || at + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if (!is_continuation(text[at + i])) return 0;
    if (length == 3 && ((lead == 0xE0 && byte(at + 1) < 0xA0) || (lead == 0xED && byte(at + 1) >= 0xA0))) return 0;
    if (length == 4 && ((lead == 0xF0 && byte(at + 1) < 0x90) || (lead == 0xF4 && byte(at + 1) >= 0x90))) return 0;
    return length;
}

/// Byte offset of column `column`.
std::size_t offset_of(std::string_view text, std::size_t column) {
    std::size_t at = 0;
    for (; at < text.size(); ++at)
        if (!is_continuation(text[at]) && column-- == 0) break;
    return at;
}

}  // namespace

std::string printable(std::string_view text, bool keep_newlines) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = code_point_length(text, at);
        const auto lead = static_cast<unsigned char>(text[at]);
        const bool control =
            lead < 0x20 || lead == 0x7F || (length == 2 && lead == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0);
        if (length == 0 || (control && !(keep_newlines && lead == '\n')))
            out += '?';
        else
            out.append(text, at, length);
        at += std::max<std::size_t>(length, 1);
    }
    return out;
}

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char byte) { return !is_continuation(byte); }));
}

std::string clip(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    if (width == 0) return {};
    return std::string(text.substr(0, offset_of(text, width - 1))) + "…";
}

std::string clip_middle(std::string_view text, std::size_t width) {
    const std::size_t columns = display_width(text);
    if (columns <= width) return std::string(text);
    if (width == 0) return {};
    const std::size_t tail = (width - 1) / 2, head = width - 1 - tail;
    return std::string(text.substr(0, offset_of(text, head))) + "…" + std::string(text.substr(offset_of(text, columns - tail)));
}

std::string percent(double share) {
    const double value = share * 100;
    if (value == 0) return "0%";
    if (value < 0) return "-" + percent(-share);
    if (value < 0.01) return "< 0.01%";
    if (value < 9.995) return std::format("{:.2f}%", value);
    if (value < 99.95) return std::format("{:.1f}%", value);
    return value < 100 ? "> 99.9%" : std::format("{:.0f}%", value);
}

std::string bar(double share, std::size_t width) {
    constexpr std::array<std::string_view, 8> kParts{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto eighths = static_cast<std::size_t>(std::llround(std::clamp(share, 0.0, 1.0) * static_cast<double>(width) * 8));
    std::string out;
    for (std::size_t i = 0; i < eighths / 8; ++i) out += "█";
    out += kParts[eighths % 8];
    out.append(width - (eighths + 7) / 8, ' ');
    return out;
}

std::string rate_text(double per_second) { return per_second < 1e4 ? std::format("{:.4g}", per_second) : count_to_text(per_second); }

std::string or_empty(Duration time) { return time.count() == 0 ? std::string() : to_text(time); }

std::string grouped(std::size_t count) {
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
    return digits;
}

std::string counted(std::size_t count, std::string_view noun) {
    return std::format("{} {}{}", grouped(count), noun, count == 1 ? "" : "s");
}

}  // namespace sluice::report
