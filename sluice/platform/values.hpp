// How single values of a platform are written, in TOML, JSON and overrides alike: words of the enums, rates of arithmetic.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/graph/features.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::platform {

/// The words of an enum in the order of its values.
template <typename Enum>
[[nodiscard]] std::span<const std::string_view> words_of();
template <>
std::span<const std::string_view> words_of<StageModel>();
template <>
std::span<const std::string_view> words_of<Overflow>();
template <>
std::span<const std::string_view> words_of<Topology>();

template <typename Enum>
[[nodiscard]] std::optional<Enum> parse_word(std::string_view text) {
    const auto words = words_of<Enum>();
    const auto found = std::ranges::find(words, text);
    return found == words.end() ? std::nullopt : std::optional(static_cast<Enum>(found - words.begin()));
}

/// "10 TFLOP/s", "2TOP/s", "64 Gelements/s": operations a second; nullopt when it is none, or not positive.
[[nodiscard]] std::optional<double> parse_operation_rate(std::string_view text);

/// A byte rate that says "/s": `link=8` would be eight bytes a second, which nobody means.
[[nodiscard]] std::optional<ByteRate> parse_byte_rate(std::string_view text);

/// "'serial' or 'overlap'".
[[nodiscard]] std::string choices(std::span<const std::string_view> words);
/// With the word that `text` is nearest to as help, else all of them.
[[nodiscard]] Diagnostic with_nearest(Diagnostic diagnostic, std::string_view text, std::span<const std::string_view> words);

/// Cores that this process may use: its affinity, and its cgroup's limit rounded down; at least 1.
[[nodiscard]] std::int64_t usable_cores();
/// The same from the text of a cgroup's cpu.max ("150000 100000", "max 100000"); what is no limit changes nothing.
[[nodiscard]] std::int64_t limit_cores(std::int64_t cores, std::string_view cpu_max);

}  // namespace sluice::platform
