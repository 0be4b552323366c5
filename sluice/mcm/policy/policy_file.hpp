// `sluice.policy/1`: a policy as a file of a quarter of a megabyte. Little-endian: the tag and a newline; head, layers, width, passes,
// chips (u32 each), spread (f32), inputs of the network (u32); seed, updates (u64); corpus, command, note (u32 length, UTF-8 each); number
// of weights (u64), the weights (f32); the fingerprint (sluice::fingerprint_of, 32 hexadecimal digits) of everything before it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "sluice/mcm/policy/policy.hpp"

namespace sluice::mcm::policy {

inline constexpr std::string_view kPolicyFormat = "sluice.policy/1";
inline constexpr std::size_t kLargestPolicy = std::size_t{2} << 20;

/// Diagnostic: more than kLargestPolicy bytes.
[[nodiscard]] Result<std::string> to_policy_bytes(const Policy& policy);
/// `file` is what diagnostics call the bytes. Diagnostics: no policy file, another version of it, cut short, longer than it says, another
/// checksum, a shape that is none, inputs of another sluice, weights that are no numbers.
[[nodiscard]] Result<Policy> parse_policy(std::string_view bytes, const std::string& file);

[[nodiscard]] Result<void> write_policy(const std::filesystem::path& path, const Policy& policy);
[[nodiscard]] Result<Policy> read_policy(const std::filesystem::path& path);

}  // namespace sluice::mcm::policy
