// Files: read whole with a size limit, written so that a half-written file never appears under its name.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "sluice/base/diagnostic.hpp"

namespace sluice {

inline constexpr std::size_t kLargestTextFile = std::size_t{1} << 30;

/// The whole file; gunzipped when its first bytes say gzip. Diagnostics: missing, a directory, unreadable, larger than `limit`, truncated
/// gzip.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit = kLargestTextFile);

/// Writes a temporary neighbour, flushes it to disk and renames it: readers see the old file or the new one. "-" writes to stdout.
[[nodiscard]] Result<void> write_file(const std::filesystem::path& path, std::string_view content);

/// 128-bit hash (XXH3) as 32 hex digits: an identity, not a defence against forgery.
[[nodiscard]] std::string fingerprint_of(std::string_view content);

}  // namespace sluice
