#include "sluice/runtime/launch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
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
#include <utility>

#include "sluice/base/files.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/runtime/mpirun.hpp"
#include "sluice/runtime/rank_watch.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::runtime {

namespace fs = std::filesystem;

namespace {

using Clock = RankWatch::Clock;

// After the first failure: time for the others' words, then SIGTERM, then SIGKILL for all that is left. Together below the 5 s of the
// contract.
constexpr auto kOthersMaySpeak = std::chrono::milliseconds(700), kTermAfter = std::chrono::milliseconds(1500);
constexpr double kEndAfterFinished = 10;  // seconds, where the watchdog's time is not shorter

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { close(); }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

/// mpirun, started: in a process group of its own, so that a Ctrl-C of the terminal does not reach it.
struct Mpirun {
    pid_t process = -1;
    Descriptor in, out, err;  // our ends
    int status = 0;
    bool ended = false;

    Mpirun() = default;
    Mpirun(Mpirun&& other) noexcept
        : process(std::exchange(other.process, -1)),
          in(std::move(other.in)),
          out(std::move(other.out)),
          err(std::move(other.err)),
          status(other.status),
          ended(other.ended) {}
    Mpirun& operator=(Mpirun&&) = delete;
    ~Mpirun() {
        if (process < 0 || ended) return;
        ::kill(process, SIGKILL);
        while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {}
    }
    void look() {
        if (!ended) ended = ::waitpid(process, &status, WNOHANG) == process;
    }
};

std::vector<std::string> environment_of(const Scratch& scratch) {
    const std::array<std::string, 4> ours{scratch.environment(), std::format("TMPDIR={}", scratch.path().string()),
                                          "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"};
    std::vector<std::string> all(ours.begin(), ours.end());
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::string_view name = text.substr(0, text.find('=') + 1);
        if (std::ranges::none_of(ours, [&](const std::string& own) { return own.starts_with(name); })) all.emplace_back(text);
    }
    return all;
}

Diagnostic cannot_start_mpirun(int error) {
    Diagnostic diagnostic = input_error(std::format("cannot start mpirun: {}", std::strerror(error)));
    if (error == ENOENT) diagnostic.help = "install Open MPI (Debian: openmpi-bin), or put its folder into PATH";
    return diagnostic;
}

Result<Mpirun> start(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
    std::array<std::array<int, 2>, 3> ends{};  // ours, mpirun's
    std::array<std::array<Descriptor, 2>, 3> keep;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        // stdin is a socket: writing to it when mpirun has gone need not raise SIGPIPE.
        const int made = i == 0 ? ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i].data()) : ::pipe2(ends[i].data(), O_CLOEXEC);
        if (made != 0) return fail(cannot_start_mpirun(errno));
        keep[i][0] = Descriptor(ends[i][0]);
        keep[i][1] = Descriptor(ends[i][1]);
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    for (std::size_t i = 0; i < ends.size(); ++i) ::posix_spawn_file_actions_adddup2(&actions, ends[i][1], static_cast<int>(i));
    ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGCHLD}) sigaddset(&defaults, signal);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const auto pointers = [](const std::vector<std::string>& texts) {
        std::vector<char*> list;
        for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
        list.push_back(nullptr);
        return list;
    };
    Mpirun mpirun;
    const int error =
        ::posix_spawnp(&mpirun.process, words.front().c_str(), &actions, &attributes, pointers(words).data(), pointers(environment).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) {
        mpirun.process = -1;
        return fail(cannot_start_mpirun(error));
    }
    mpirun.in = std::move(keep[0][0]);
    mpirun.out = std::move(keep[1][0]);
    mpirun.err = std::move(keep[2][0]);
    return mpirun;
}

/// Ranks of this host that somebody has stopped (SIGSTOP, a debugger): what a hang may be.
std::vector<std::string> stopped_ranks(const Scratch& scratch) {
    const auto content = [](pid_t process, const char* name) {
        std::ifstream file(std::format("/proc/{}/{}", process, name), std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    std::vector<std::string> notes;
    for (const pid_t process : scratch.processes()) {
        const std::string status = content(process, "stat"), environment = content(process, "environ");
        const std::size_t name_end = status.rfind(") "), rank = environment.find("OMPI_COMM_WORLD_RANK=");
        if (name_end == std::string::npos || (status[name_end + 2] != 'T' && status[name_end + 2] != 't')) continue;
        notes.push_back(std::format("process {}{} is stopped: SIGSTOP or a debugger", process,
                                    rank == std::string::npos ? "" : std::format(", rank {},", environment.c_str() + rank + 21)));
    }
    return notes;
}

/// The job's file, gone with its owner: it may lie outside the temporary folder.
struct JobFile {
    fs::path path;
    ~JobFile() {
        std::error_code ignored;
        fs::remove(path, ignored);
    }
};

/// One run from start to end: what is seen, what is done about it.
class Run {
public:
    Run(const Job& job, const LaunchOptions& options, const Scratch& scratch, Mpirun mpirun, Clock::time_point start)
        : options_(options),
          scratch_(scratch),
          mpirun_(std::move(mpirun)),
          start_(start),
          watch_(job.program, job.patience, start),
          end_after_finished_(std::min(kEndAfterFinished, job.patience + 1)) {}

    Result<LaunchResult> go() {
        while (!over()) {
            wait_for_words();
            mpirun_.look();
            act(Clock::now());
        }
        const bool clean = scratch_.end_processes();
        read_all();
        if (auto cause = cause_of_end()) {
            std::ranges::move(stopped_, std::back_inserter(cause->notes));
            if (!clean) cause->notes.emplace_back("some of its processes could not be killed within 2 s");
            return fail(std::move(*cause));
        }
        return result();
    }

private:
    [[nodiscard]] bool over() const { return mpirun_.ended; }

    bool read(Descriptor& stream, LineSplitter& splitter, bool out) {
        std::array<char, 1 << 16> buffer;
        const ssize_t got = ::read(stream.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) return true;
        if (got <= 0) {
            stream.close();
            return false;
        }
        const auto now = Clock::now();
        for (const std::string& line : splitter.add({buffer.data(), static_cast<std::size_t>(got)})) {
            if (out && take(line, now)) continue;
            log_.add(line);
        }
        return true;
    }

    bool take(std::string_view line, Clock::time_point now) {
        if (const auto tagged = untag(line)) line = tagged->text;
        const auto message = read_line(line);
        if (!message) return false;
        watch_.take(*message, now);
        if (std::holds_alternative<Delivered>(*message) && first_output_ == 0)
            first_output_ = std::chrono::duration<double>(now - start_).count();
        if (options_.on_message) options_.on_message(*message);
        return true;
    }

    void wait_for_words() {
        std::array<pollfd, 2> waits{{{mpirun_.out.get(), POLLIN, 0}, {mpirun_.err.get(), POLLIN, 0}}};
        if (::poll(waits.data(), waits.size(), 50) <= 0) return;
        if (waits[0].revents != 0) read(mpirun_.out, out_lines_, true);
        if (waits[1].revents != 0) read(mpirun_.err, err_lines_, false);
        if (mpirun_.out.get() < 0 && mpirun_.err.get() < 0) ::poll(nullptr, 0, 20);  // both closed: mpirun is about to end
    }

    /// What already lies in the pipes. Something of another host may hold them open, so their end is not waited for.
    void read_all() {
        const auto deadline = Clock::now() + std::chrono::milliseconds(300);
        for (auto* stream : {&mpirun_.out, &mpirun_.err}) {
            const bool out = stream == &mpirun_.out;
            pollfd wait{stream->get(), POLLIN, 0};
            while (stream->get() >= 0 && Clock::now() < deadline && ::poll(&wait, 1, 0) > 0)
                if (!read(*stream, out ? out_lines_ : err_lines_, out)) break;
        }
    }

    void act(Clock::time_point now) {
        if (mpirun_.ended) return;
        if (options_.stop.stop_requested() && !interrupted_) {
            interrupted_ = true;
            if (watch_.all_ready()) [[maybe_unused]]
                const ssize_t sent = ::send(mpirun_.in.get(), "stop\n", 5, MSG_NOSIGNAL);
            else
                begin_end(Diagnostic{DiagnosticKind::stopped, "interrupted before the ranks were ready", {}, {}, {}},
                          now - kOthersMaySpeak);
        }
        if (!ending_) {
            if (watch_.first_failure())
                begin_end(std::nullopt, now);
            else if (auto hang = watch_.hang(now))
                begin_end(std::move(hang), now);
            else if (watch_.all_finished()) {
                if (!finished_at_) finished_at_ = now;
                if (now - *finished_at_ > end_after_finished_)
                    begin_end(
                        Diagnostic{
                            DiagnosticKind::internal, "the run hangs at its end: every rank is done, but mpirun does not end", {}, {}, {}},
                        now - kOthersMaySpeak);
            }
        }
        if (!ending_) return;
        if (now - *ending_ > kOthersMaySpeak && !asked_to_end_) {
            asked_to_end_ = true;
            ::kill(mpirun_.process, SIGTERM);
        }
        if (now - *ending_ > kOthersMaySpeak + kTermAfter) {
            ::kill(mpirun_.process, SIGKILL);
            scratch_.end_processes();
        }
    }

    void begin_end(std::optional<Diagnostic> cause, Clock::time_point when) {
        stopped_ = stopped_ranks(scratch_);
        ending_ = when;
        cause_ = std::move(cause);
    }

    /// Nothing when the run did what it should.
    std::optional<Diagnostic> cause_of_end() {
        const auto now = Clock::now();
        if (cause_) return cause_;
        const auto& end = log_.first_end();
        const auto& failed = watch_.first_failure();
        // A rank killed while another was failing at the same time is the better clue, unless our own SIGTERM did it.
        if (end && end->signal != 0 && end->signal != SIGTERM && !(failed && failed->rank == end->rank))
            return watch_.ended(*end, now, log_);
        if (failed) return watch_.failure(now, log_);
        if (end) return watch_.ended(*end, now, log_);
        Diagnostic diagnostic{DiagnosticKind::internal, {}, {}, {}, {}};
        for (const std::string& line : log_.own()) diagnostic.notes.push_back(std::format("mpirun: {}", line));
        if (WIFSIGNALED(mpirun_.status)) {
            diagnostic.message =
                std::format("mpirun was ended by signal {} ({})", WTERMSIG(mpirun_.status), ::strsignal(WTERMSIG(mpirun_.status)));
            diagnostic.help = "somebody ended the run from outside";
            return diagnostic;
        }
        if (const int code = WEXITSTATUS(mpirun_.status); code > 128 && code < 128 + NSIG && !log_.first_end()) {
            // mpirun does not always say which rank a signal ended while ranks were starting; another may have said whom it missed.
            RankEnd guess;
            guess.rank = log_.unreachable().value_or(-1);
            guess.signal = code - 128;
            guess.signal_name = ::strsignal(guess.signal);
            return watch_.ended(guess, now, log_);
        }
        if (WEXITSTATUS(mpirun_.status) != 0) {
            diagnostic.message = watch_.all_ready()
                                     ? std::format("mpirun ended with exit code {}", WEXITSTATUS(mpirun_.status))
                                     : std::format("mpirun could not start the ranks (exit code {})", WEXITSTATUS(mpirun_.status));
            if (!options_.hostfile.empty() && !watch_.all_ready())
                diagnostic.help =
                    std::format("check the hosts in '{}', and that each can be reached without a password", options_.hostfile.string());
            for (std::size_t rank = 0; rank < watch_.ready().size() && log_.own().empty(); ++rank)
                note_log(diagnostic, log_.last_lines(static_cast<std::int64_t>(rank)));
            return diagnostic;
        }
        for (std::size_t rank = 0; rank < watch_.finished().size(); ++rank)
            if (!watch_.finished()[rank] || !watch_.ready()[rank]) {
                diagnostic.message = std::format("{} ended without its last word", watch_.place_of(static_cast<std::int64_t>(rank)));
                note_log(diagnostic, log_.last_lines(static_cast<std::int64_t>(rank)));
                return diagnostic;
            }
        return std::nullopt;
    }

    LaunchResult result() {
        LaunchResult result;
        for (auto& ready : watch_.ready()) result.ready.push_back(std::move(*ready));
        for (auto& finished : watch_.finished()) result.finished.push_back(*finished);
        result.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
        result.first_output = first_output_;
        result.interrupted = interrupted_;
        return result;
    }

    const LaunchOptions& options_;
    const Scratch& scratch_;
    Mpirun mpirun_;
    Clock::time_point start_;
    RankWatch watch_;
    std::chrono::duration<double> end_after_finished_;
    MpirunLog log_;
    LineSplitter out_lines_, err_lines_;
    std::optional<Clock::time_point> ending_, finished_at_;
    std::optional<Diagnostic> cause_;
    double first_output_ = 0;
    std::vector<std::string> stopped_;
    bool asked_to_end_ = false, interrupted_ = false;
};

}  // namespace

bool several_hosts(const LaunchOptions& options) {
    if (!options.hostfile.empty()) return true;
    const char* nodes = std::getenv("SLURM_JOB_NUM_NODES");
    return nodes != nullptr && std::string_view(nodes) != "1";
}

Result<LaunchResult> launch(const Job& job, const LaunchOptions& options) {
    const auto start_time = Clock::now();
    auto worker = find_worker(options.worker);
    if (!worker) return fail(std::move(worker.error()));
    std::error_code error;
    if (!options.hostfile.empty() && !fs::is_regular_file(options.hostfile, error))
        return fail(input_error(std::format("there is no host file '{}'", options.hostfile.string())).fix("one host a line: NAME slots=N"));
    auto scratch = Scratch::make({}, "sluice-run");
    if (!scratch) return fail(std::move(scratch.error()));
    const JobFile file{fs::absolute(options.folder.empty() ? scratch->path() : options.folder) / "job.json"};
    if (auto written = write_file(file.path, to_json_text(job)); !written) return fail(std::move(written.error()));

    const std::vector<std::string> words = mpirun_words({.ranks = job.program.ranks,
                                                         .worker = fs::absolute(*worker),
                                                         .job = file.path,
                                                         .hostfile = options.hostfile.empty() ? fs::path() : fs::absolute(options.hostfile),
                                                         .shared_memory = scratch->shared_memory(),
                                                         .several_hosts = several_hosts(options),
                                                         .further = options.mpirun});
    auto mpirun = start(words, environment_of(*scratch));
    if (!mpirun) return fail(std::move(mpirun.error()));
    return Run(job, options, *scratch, std::move(*mpirun), start_time).go();
}

}  // namespace sluice::runtime
