// Another program as a child process: its streams captured, its end always waited for.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

struct ChildResult {
    int exit_code = 0;     // of one that ended by itself
    int signal = 0;        // that ended it, else 0
    std::string out, err;  // the last 64 KiB of each
    bool stopped = false;  // because `stop` was asked for, or `patience` was over
};

/// `words`: the program (a path, or a name looked up in PATH), then its arguments. A stop sends SIGTERM, and SIGKILL after two seconds.
/// Diagnostics: a program that cannot be started.
[[nodiscard]] Result<ChildResult> run_child(const std::vector<std::string>& words, const std::stop_token& stop = {},
                                            std::optional<std::chrono::seconds> patience = {});

/// `given`, else $SLUICE_WORKER, else sluice-worker beside this program. Diagnostics: not there, not executable.
[[nodiscard]] Result<std::filesystem::path> find_worker(const std::filesystem::path& given = {});

}  // namespace sluice::runtime
