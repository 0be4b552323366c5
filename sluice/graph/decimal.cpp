#include "sluice/graph/decimal.hpp"

#include <charconv>
#include <cmath>

namespace sluice::graph {

std::optional<std::int64_t> scaled(double value, int power, Rounding rounding) {
    if (!std::isfinite(value) || value < 0) return std::nullopt;
    value = std::abs(value);  // -0 is 0
    char text[40];            // "d.dddddddddddddddde-308"
    const char* const end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;

    std::int64_t digits = 0;  // at most 17 of them
    int exponent = power;     // the value is digits * 10^exponent
    bool fraction = false;
    const char* at = text;
    for (; at != end && *at != 'e'; ++at) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        digits = digits * 10 + (*at - '0');
        if (fraction) --exponent;
    }
    if (at != end) {
        int written = 0;
        const char* const sign = at + 1;
        std::from_chars(*sign == '+' ? sign + 1 : sign, end, written);
        exponent += written;
    }
    if (digits == 0) return 0;

    for (; exponent > 0; --exponent)
        if (__builtin_mul_overflow(digits, std::int64_t{10}, &digits)) return std::nullopt;
    bool inexact = false;
    for (; exponent < 0 && digits != 0; ++exponent) {
        inexact = inexact || digits % 10 != 0;
        digits /= 10;
    }
    return digits + (inexact && rounding == Rounding::up ? 1 : 0);
}

}  // namespace sluice::graph
