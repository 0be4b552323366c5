#include "sluice/runtime/scratch.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <format>
#include <fstream>
#include <iterator>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace sluice::runtime {

namespace fs = std::filesystem;

namespace {

// $1 the marker, $2 and $3 the folders. A word on the pipe: its owner has cleared up itself.
constexpr const char* kGuard = R"(trap '' HUP INT TERM PIPE QUIT
read -r word && exit 0
turns=0
while [ $turns -lt 100 ]; do
    found=$(grep -lzxF -e "$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
    [ -n "$found" ] || break
    kill -KILL $found 2>/dev/null
    sleep 0.05
    turns=$((turns + 1))
done
rm -rf -- "$2" "$3"
)";

Diagnostic cannot_make(const fs::path& folder, int error) {
    return input_error(std::format("cannot make a temporary folder in '{}': {}", folder.string(), std::strerror(error)))
        .fix("set TMPDIR to a folder that can be written and has room");
}

std::string folder_from(const fs::path& parent, std::string_view name) {
    std::string text = (parent / std::format("{}-XXXXXX", name)).string();
    return ::mkdtemp(text.data()) != nullptr ? text : std::string{};
}

std::vector<pid_t> processes_with(const std::string& entry) {
    std::vector<pid_t> found;
    DIR* folder = ::opendir("/proc");
    if (folder == nullptr) return found;
    while (const dirent* each = ::readdir(folder)) {
        const std::string_view name = each->d_name;
        pid_t process = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
        if (error != std::errc{} || end != name.data() + name.size()) continue;
        std::ifstream file(std::format("/proc/{}/environ", process), std::ios::binary);  // empty for a zombie, unreadable for a stranger's
        const std::string text(std::istreambuf_iterator<char>(file), {});
        const std::string whole = '\0' + text;
        if (whole.find('\0' + entry + '\0') != std::string::npos) found.push_back(process);
    }
    ::closedir(folder);
    return found;
}

/// The guard, and our end of its pipe.
Result<std::pair<pid_t, int>> start_guard(const std::string& marker, const fs::path& path, const fs::path& shared_memory) {
    std::array<int, 2> ends{};  // a socket, since writing to one whose reader has gone need not raise SIGPIPE
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail(cannot_make(path.parent_path(), errno));
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) ::posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    ::posix_spawn_file_actions_addchdir_np(&actions, "/");
    sigset_t none;
    sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    std::array<std::string, 7> words{
        "sh", "-c", kGuard, "sluice-guard", "SLUICE_RUN=" + marker, fs::absolute(path).string(), fs::absolute(shared_memory).string()};
    std::array<char*, 8> arguments{};
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    pid_t guard = -1;
    const int error = ::posix_spawn(&guard, "/bin/sh", &actions, &attributes, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    ::close(ends[0]);
    if (error == 0) return std::pair{guard, ends[1]};
    ::close(ends[1]);
    return fail(input_error(std::format("cannot start /bin/sh: {}", std::strerror(error))));
}

}  // namespace

Result<Scratch> Scratch::make(const fs::path& parent, std::string_view name) {
    std::error_code error;
    const fs::path where = parent.empty() ? fs::temp_directory_path(error) : parent;
    if (error) return fail(cannot_make(where, error.value()));
    Scratch scratch;
    scratch.path_ = folder_from(fs::absolute(where), name);
    if (scratch.path_.empty()) return fail(cannot_make(where, errno));
    scratch.shared_memory_ = folder_from("/dev/shm", std::format("{}-{}", name, ::getpid()));
    if (scratch.shared_memory_.empty()) scratch.shared_memory_ = scratch.path_;
    scratch.marker_ = std::format("{}:{}", ::getpid(), scratch.path_.string());
    auto guard = start_guard(scratch.marker_, scratch.path_, scratch.shared_memory_);
    if (!guard) return fail(std::move(guard.error()));  // the folders go with `scratch`
    std::tie(scratch.guard_, scratch.guard_pipe_) = *guard;
    return scratch;
}

Scratch::Scratch(Scratch&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      shared_memory_(std::exchange(other.shared_memory_, {})),
      marker_(std::move(other.marker_)),
      guard_(std::exchange(other.guard_, -1)),
      guard_pipe_(std::exchange(other.guard_pipe_, -1)) {}

Scratch::~Scratch() {
    if (path_.empty()) return;
    bool gone = true;
    for (const fs::path& folder : {path_, shared_memory_}) {
        std::error_code error;
        fs::remove_all(folder, error);
        gone = gone && !error;
    }
    if (guard_ < 0) return;
    // What we could not remove the guard tries in its way: no word, only the end of the pipe.
    if (gone) [[maybe_unused]]
        const ssize_t written = ::send(guard_pipe_, "done\n", 5, MSG_NOSIGNAL);
    ::close(guard_pipe_);
    while (::waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {}
}

std::vector<pid_t> Scratch::processes() const { return processes_with(environment()); }

bool Scratch::end_processes() const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    for (;;) {
        const std::vector<pid_t> found = processes();
        if (found.empty()) return true;
        if (std::chrono::steady_clock::now() > deadline) return false;
        for (const pid_t process : found) ::kill(process, SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

}  // namespace sluice::runtime
