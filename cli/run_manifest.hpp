// manifest.json of a run folder (design §4): what made it, on what, and which files belong to it. `sluice.run/1` JSON.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/session.hpp"

namespace sluice::cli {

inline constexpr std::string_view kRunFormat = "sluice.run/1";

struct RunManifest {
    std::string command;  // "sluice demo"
    std::string model;    // as the user named it
    std::uint64_t seed = 0;
    std::vector<std::pair<std::string, std::string>> libraries;  // beside those compiled in: what the ranks said
    std::vector<std::pair<std::string, std::string>> files;      // name in the folder -> what it is
};

/// Adds the time, this sluice, its compiled-in libraries and the machine.
[[nodiscard]] Result<void> write_run_manifest(const RunManifest& manifest, const std::filesystem::path& folder);

}  // namespace sluice::cli
