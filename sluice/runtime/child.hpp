// Another program as a child process: its streams captured, its end always waited for.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

struct ChildResult {
    int exit_code = 0;     // of one that ended by itself
    int signal = 0;        // that ended it, else 0
    std::string out, err;  // the last 64 KiB of each
    bool stopped = false;  // because `stop` was asked for, or `patience` was over
};

struct ChildWatch {
    std::function<void(std::string_view)> on_line = {};  // each whole line of its stdout, as it comes
    std::chrono::seconds grace{2};                       // between SIGTERM and SIGKILL
};

/// `words`: the program (a path, or a name looked up in PATH), then its arguments. A stop sends SIGTERM, and SIGKILL after the grace.
/// Diagnostics: a program that cannot be started.
[[nodiscard]] Result<ChildResult> run_child(const std::vector<std::string>& words, const std::stop_token& stop = {},
                                            std::optional<std::chrono::seconds> patience = {}, const ChildWatch& watch = {});

/// `given`, else $SLUICE_WORKER, else sluice-worker beside this program. Diagnostics: not there, not executable.
[[nodiscard]] Result<std::filesystem::path> find_worker(const std::filesystem::path& given = {});
/// $SLUICE_TRAINER, else sluice-trainer beside this program. Diagnostics as above.
[[nodiscard]] Result<std::filesystem::path> find_trainer();

}  // namespace sluice::runtime
