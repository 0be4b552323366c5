// Time and sizes as integers, so that sums are exact and a certificate means what it says (design §3).
// Rates become integer picoseconds once, rounding up; nothing downstream holds a floating-point cost.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <ratio>
#include <string>
#include <string_view>

namespace sluice {

using Duration = std::chrono::duration<std::int64_t, std::pico>;

/// The largest objective value a problem may reach in total; leaves room to double and to add two of them in int64.
inline constexpr Duration kLargestTotal{std::int64_t{1} << 60};

struct Bytes {
    std::int64_t count = 0;

    friend constexpr auto operator<=>(Bytes, Bytes) = default;
    constexpr Bytes& operator+=(Bytes other) {
        count += other.count;
        return *this;
    }
    constexpr Bytes& operator-=(Bytes other) {
        count -= other.count;
        return *this;
    }
    friend constexpr Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }
    friend constexpr Bytes operator-(Bytes a, Bytes b) { return {a.count - b.count}; }
};

/// Bytes per second, a positive integer.
struct ByteRate {
    std::int64_t bytes_per_second = 0;
    friend constexpr auto operator<=>(ByteRate, ByteRate) = default;
};

/// ceil(bytes / rate) in picoseconds; nullopt when it does not fit int64. Needs bytes >= 0 and rate > 0.
[[nodiscard]] std::optional<Duration> time_for(Bytes bytes, ByteRate rate);

/// a + b, nullopt on overflow.
[[nodiscard]] std::optional<std::int64_t> checked_add(std::int64_t a, std::int64_t b);
/// a * b, nullopt on overflow.
[[nodiscard]] std::optional<std::int64_t> checked_multiply(std::int64_t a, std::int64_t b);

/// For people: "3.594 ms", "17.2 us", "0 s"; four significant digits.
[[nodiscard]] std::string to_text(Duration time);
/// For people: "11.2 MiB", "512 B".
[[nodiscard]] std::string to_text(Bytes bytes);
/// "64 GB/s"
[[nodiscard]] std::string to_text(ByteRate rate);
/// A count for people: "1.23 G", "45.6 M", "789".
[[nodiscard]] std::string count_to_text(double count);

/// "8GB/s", "0.5 GB/s", "200 MiB/s" -> bytes per second; nullopt when it is not a rate or not positive.
[[nodiscard]] std::optional<ByteRate> parse_rate(std::string_view text);
/// "8 MiB", "80GB", "4096" -> bytes; nullopt when it is not a size.
[[nodiscard]] std::optional<Bytes> parse_bytes(std::string_view text);
/// "50us", "0.5 µs", "10 s" -> picoseconds; nullopt when it is not a time.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

}  // namespace sluice
