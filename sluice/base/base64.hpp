// Bytes as text in JSON strings (RFC 4648 section 4, with padding). Linear.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

[[nodiscard]] std::string to_base64(std::span<const std::uint8_t> bytes);
/// nullopt: not what to_base64 writes for any bytes (another alphabet, missing padding, bits set that carry nothing).
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text);

}  // namespace sluice
