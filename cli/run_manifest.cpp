#include "cli/run_manifest.hpp"

#include <chrono>
#include <format>
#include <nlohmann/json.hpp>

#include "cli/machine.hpp"
#include "sluice/base/files.hpp"
#include "sluice/base/json.hpp"
#include "sluice/cli_versions.hpp"

namespace sluice::cli {

Result<void> write_run_manifest(const RunManifest& manifest, const std::filesystem::path& folder) {
    using nlohmann::ordered_json;
    const Machine machine = this_machine();
    ordered_json libraries = ordered_json::object(), files = ordered_json::object();
    for (const auto& [name, version] : kLibraries) libraries[std::string(name)] = version;
    for (const auto& [name, version] : manifest.libraries) libraries[name] = version;
    for (const auto& [name, what] : manifest.files) files[name] = what;
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const ordered_json out{{"format", kRunFormat},
                           {"time", std::format("{:%FT%TZ}", now)},
                           {"sluice", kVersion},
                           {"command", manifest.command},
                           {"model", manifest.model},
                           {"seed", manifest.seed},
                           {"machine",
                            {{"processor", machine.processor},
                             {"processors", machine.processors},
                             {"threads", default_threads()},
                             {"memory_bytes", machine.memory.count}}},
                           {"libraries", std::move(libraries)},
                           {"files", std::move(files)}};
    return write_file(folder / "manifest.json", json::to_file_text(out));
}

}  // namespace sluice::cli
