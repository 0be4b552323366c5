#include "sluice/runtime/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <format>
#include <utility>

namespace sluice::runtime {

namespace {

constexpr std::size_t kKept = std::size_t{1} << 16;

class Pipe {
public:
    Pipe() {
        if (::pipe2(ends_.data(), O_CLOEXEC) != 0) ends_ = {-1, -1};
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close(0);
        close(1);
    }
    [[nodiscard]] int end(std::size_t which) const { return ends_[which]; }
    void close(std::size_t which) {
        if (ends_[which] >= 0) ::close(std::exchange(ends_[which], -1));
    }
    /// Appends what is there, keeping the last part, and gives it back; closes at the end of the stream.
    std::string_view drain(std::string& text) {
        const ssize_t got = ::read(ends_[0], buffer_.data(), buffer_.size());
        if (got < 0 && errno == EINTR) return {};
        if (got <= 0) {
            close(0);
            return {};
        }
        const std::string_view piece(buffer_.data(), static_cast<std::size_t>(got));
        text += piece;
        if (text.size() > 2 * kKept) text.erase(0, text.size() - kKept);
        return piece;
    }

private:
    std::array<int, 2> ends_{-1, -1};
    std::array<char, 1 << 14> buffer_;
};

/// Cuts what comes in pieces into lines.
class Lines {
public:
    explicit Lines(const std::function<void(std::string_view)>& on_line) : on_line_(on_line) {}
    void add(std::string_view piece) {
        if (!on_line_) return;
        rest_ += piece;
        std::size_t begin = 0;
        for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
            on_line_(std::string_view(rest_).substr(begin, end - begin));
            begin = end + 1;
        }
        rest_.erase(0, begin);
    }

private:
    const std::function<void(std::string_view)>& on_line_;
    std::string rest_;
};

Diagnostic cannot_start(const std::string& program, int error) {
    Diagnostic diagnostic = input_error(std::format("cannot start '{}': {}", program, std::strerror(error)));
    if (error == ENOENT) diagnostic.help = "check that it is installed";
    return diagnostic;
}

}  // namespace

Result<ChildResult> run_child(const std::vector<std::string>& words, const std::stop_token& stop,
                              std::optional<std::chrono::seconds> patience, const ChildWatch& watch) {
    const auto started = std::chrono::steady_clock::now();
    Pipe out, err;
    if (out.end(0) < 0 || err.end(0) < 0) return fail(cannot_start(words.front(), errno));
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out.end(1), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err.end(1), STDERR_FILENO);
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, words.front().c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return fail(cannot_start(words.front(), error));
    out.close(1);
    err.close(1);

    ChildResult result;
    Lines lines(watch.on_line);
    std::chrono::steady_clock::time_point asked;
    int status = 0;
    bool ended = false;
    while (!ended || out.end(0) >= 0 || err.end(0) >= 0) {
        if (!ended) ended = ::waitpid(child, &status, WNOHANG) == child;
        const auto now = std::chrono::steady_clock::now();
        if (!ended && (stop.stop_requested() || (patience && now - started > *patience))) {
            if (!std::exchange(result.stopped, true)) {
                asked = now;
                ::kill(child, SIGTERM);
            } else if (now - asked > watch.grace) {
                ::kill(child, SIGKILL);
            }
        }
        std::array<pollfd, 2> waits{{{out.end(0), POLLIN, 0}, {err.end(0), POLLIN, 0}}};
        // Once the child is gone only what already lies in the pipes counts: a grandchild may hold them open.
        if (::poll(waits.data(), waits.size(), ended ? 0 : 50) <= 0 && ended) break;
        if (waits[0].revents != 0) lines.add(out.drain(result.out));
        if (waits[1].revents != 0) err.drain(result.err);
    }
    for (std::string* text : {&result.out, &result.err})
        if (text->size() > kKept) text->erase(0, text->size() - kKept);
    if (WIFSIGNALED(status))
        result.signal = WTERMSIG(status);
    else
        result.exit_code = WEXITSTATUS(status);
    return result;
}

namespace {

Result<std::filesystem::path> find_program(const std::filesystem::path& given, const char* variable, std::string_view name,
                                           std::string_view use, const std::string& fix) {
    std::filesystem::path program = given;
    std::string whence = "as asked for";
    if (const char* named = std::getenv(variable); program.empty() && named != nullptr && *named != '\0') {
        program = named;
        whence = std::format("which {} names", variable);
    }
    if (program.empty()) {
        std::error_code error;
        program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name;
        whence = "beside this program";
    }
    if (::access(program.c_str(), X_OK) == 0 && !std::filesystem::is_directory(program)) return program;
    return fail(input_error(std::format("there is no program '{}' ({}), which {}", program.string(), whence, use)).fix(fix));
}

}  // namespace

Result<std::filesystem::path> find_worker(const std::filesystem::path& given) {
    return find_program(given, "SLUICE_WORKER", "sluice-worker", "runs stages",
                        "install sluice built with -DSLUICE_WORKER=ON (needs ONNX Runtime and Open MPI), or set SLUICE_WORKER to it");
}

Result<std::filesystem::path> find_trainer() {
    return find_program({}, "SLUICE_TRAINER", "sluice-trainer", "trains policies",
                        "install sluice built with -DSLUICE_TRAINER=ON (needs libtorch), or set SLUICE_TRAINER to it");
}

}  // namespace sluice::runtime
