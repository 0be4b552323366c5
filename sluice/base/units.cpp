#include "sluice/base/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <format>
#include <limits>
#include <span>
#include <utility>

#include "sluice/base/wide.hpp"

namespace sluice {

namespace {

struct Unit {
    std::string_view name;
    double scale;
};

/// "12.5 MiB" -> 12.5 and "MiB".
std::optional<std::pair<double, std::string_view>> split_number(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || !std::isfinite(value)) return std::nullopt;
    std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
    return std::pair{value, unit};
}

std::optional<std::int64_t> scaled(double value, double scale) {
    const double result = std::nearbyint(value * scale);
    if (!(result >= 0) || result >= 0x1.0p63) return std::nullopt;
    return static_cast<std::int64_t>(result);
}

constexpr std::array<Unit, 14> kSizes{{{"", 1},
                                       {"B", 1},
                                       {"kB", 1e3},
                                       {"KB", 1e3},
                                       {"MB", 1e6},
                                       {"GB", 1e9},
                                       {"TB", 1e12},
                                       {"KiB", 0x1p10},
                                       {"MiB", 0x1p20},
                                       {"GiB", 0x1p30},
                                       {"TiB", 0x1p40},
                                       {"k", 1e3},
                                       {"M", 1e6},
                                       {"G", 1e9}}};
constexpr std::array<Unit, 6> kTimes{{{"ps", 1}, {"ns", 1e3}, {"us", 1e6}, {"µs", 1e6}, {"ms", 1e9}, {"s", 1e12}}};

std::optional<std::int64_t> parse_with(std::string_view text, std::span<const Unit> units) {
    const auto parts = split_number(text);
    if (!parts) return std::nullopt;
    for (const Unit& unit : units)
        if (unit.name == parts->second) return scaled(parts->first, unit.scale);
    return std::nullopt;
}

/// Four significant digits, without a trailing ".".
std::string four_digits(double value) {
    if (value >= 999.95) return std::format("{:.0f}", value);
    if (value >= 99.995) return std::format("{:.1f}", value);
    if (value >= 9.9995) return std::format("{:.2f}", value);
    return std::format("{:.3f}", value);
}

}  // namespace

std::optional<Duration> time_for(Bytes bytes, ByteRate rate) {
    const Wide picoseconds = (static_cast<Wide>(bytes.count) * kPicosecondsPerSecond + rate.bytes_per_second - 1) / rate.bytes_per_second;
    if (picoseconds > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
    return Duration{static_cast<std::int64_t>(picoseconds)};
}

std::optional<std::int64_t> checked_add(std::int64_t a, std::int64_t b) {
    std::int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? std::nullopt : std::optional(sum);
}

std::optional<std::int64_t> checked_multiply(std::int64_t a, std::int64_t b) {
    std::int64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? std::nullopt : std::optional(product);
}

std::string to_text(Duration time) {
    const auto ps = static_cast<double>(time.count());
    const double size = std::abs(ps);
    if (size == 0) return "0 s";
    if (size < 1e3) return std::format("{} ps", time.count());
    if (size < 999.95e3) return four_digits(ps / 1e3) + " ns";
    if (size < 999.95e6) return four_digits(ps / 1e6) + " us";
    if (size < 999.95e9) return four_digits(ps / 1e9) + " ms";
    return four_digits(ps / 1e12) + " s";
}

std::string to_text(Bytes bytes) {
    const auto count = static_cast<double>(bytes.count);
    const double size = std::abs(count);
    if (size < 1024) return std::format("{} B", bytes.count);
    if (size < 0x1p20) return std::format("{:.1f} KiB", count / 0x1p10);
    if (size < 0x1p30) return std::format("{:.1f} MiB", count / 0x1p20);
    if (size < 0x1p40) return std::format("{:.2f} GiB", count / 0x1p30);
    return std::format("{:.2f} TiB", count / 0x1p40);
}

std::string to_text(ByteRate rate) {
    const auto value = static_cast<double>(rate.bytes_per_second);
    if (value < 1e6) return std::format("{:g} kB/s", value / 1e3);
    if (value < 1e9) return std::format("{:g} MB/s", value / 1e6);
    return std::format("{:g} GB/s", value / 1e9);
}

std::string count_to_text(double count) {
    const double size = std::abs(count);
    if (size < 1e3) return std::format("{:g}", count);
    constexpr std::array<std::string_view, 6> kNames{"k", "M", "G", "T", "P", "E"};
    double scale = 1e3;
    std::size_t name = 0;
    while (name + 1 < kNames.size() && size >= scale * 999.95) {
        scale *= 1e3;
        ++name;
    }
    return std::format("{:.3g} {}", count / scale, kNames[name]);
}

std::optional<ByteRate> parse_rate(std::string_view text) {
    if (text.size() >= 2 && text.substr(text.size() - 2) == "/s") text.remove_suffix(2);
    const auto value = parse_with(text, kSizes);
    if (!value || *value <= 0) return std::nullopt;
    return ByteRate{*value};
}

std::optional<Bytes> parse_bytes(std::string_view text) {
    const auto value = parse_with(text, kSizes);
    return value ? std::optional(Bytes{*value}) : std::nullopt;
}

std::optional<Duration> parse_duration(std::string_view text) {
    const auto value = parse_with(text, kTimes);
    if (value) return Duration{*value};
    const auto parts = split_number(text);
    return parts && parts->second.empty() && parts->first == 0 ? std::optional(Duration{0}) : std::nullopt;
}

}  // namespace sluice
