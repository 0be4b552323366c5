// A temporary folder that is gone when its owner is, however the owner ends: a small shell, in a session of its own, holds a pipe to us and
// clears up when the pipe closes without a word. Processes started with `environment()` are found by it, wherever they have gone.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

class Scratch {
public:
    /// `parent` empty: the system's folder for temporary files ($TMPDIR). The folder is called NAME-xxxxxx and only its owner may read it.
    [[nodiscard]] static Result<Scratch> make(const std::filesystem::path& parent = {}, std::string_view name = "sluice");
    Scratch(Scratch&& other) noexcept;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(Scratch&&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch();

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    /// A folder in memory (/dev/shm/NAME-PID-xxxxxx) that goes the same way; `path()` where there is none.
    [[nodiscard]] const std::filesystem::path& shared_memory() const { return shared_memory_; }
    /// "SLUICE_RUN=…": a process of this host that has it in its environment is ours.
    [[nodiscard]] std::string environment() const { return "SLUICE_RUN=" + marker_; }

    /// Such processes.
    [[nodiscard]] std::vector<pid_t> processes() const;
    /// Kills (SIGKILL) every such process, again until none is left. False: some are still there after two seconds.
    bool end_processes() const;

private:
    Scratch() = default;
    std::filesystem::path path_, shared_memory_;
    std::string marker_;
    pid_t guard_ = -1;
    int guard_pipe_ = -1;
};

}  // namespace sluice::runtime
