#include "cli/interrupt.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <csignal>

#include "cli/terminal.hpp"

namespace sluice::cli {

namespace {

// A signal handler has no argument of ours: these three are all it may reach.
std::atomic<int> signals_seen{0};
std::atomic<int> signal_pipe{-1};
std::array<struct sigaction, 2> previous_actions{};
constexpr std::array<int, 2> kSignals{SIGINT, SIGTERM};
static_assert(std::atomic<int>::is_always_lock_free);

constexpr char kSignal = 's', kEnd = 'e';

extern "C" void on_signal(int) {
    const int saved = errno;
    if (signals_seen.fetch_add(1) > 0) {
        [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, "\n", 1);  // the shell's prompt gets a line of its own
        ::_exit(130);
    }
    [[maybe_unused]] const ssize_t written = ::write(signal_pipe.load(), &kSignal, 1);
    errno = saved;
}

}  // namespace

InterruptGuard::InterruptGuard(Terminal& terminal) {
    assert(signal_pipe.load() == -1);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;  // no descriptors left: Ctrl-C then ends the process, as it does without a guard
    read_end_ = ends[0];
    write_end_ = ends[1];
    signals_seen = 0;
    signal_pipe = write_end_;
    watcher_ = std::thread([this, &terminal] {
        char byte = kEnd;
        ssize_t got = 0;
        while ((got = ::read(read_end_, &byte, 1)) < 0 && errno == EINTR) {}
        if (got != 1 || byte != kSignal) return;
        stop_.request_stop();
        terminal.say("interrupted: stopping at the next check and keeping what there is (again: quit at once)");
    });
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        ::sigaction(kSignals[i], nullptr, &previous_actions[i]);
        if (previous_actions[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
    }
}

InterruptGuard::~InterruptGuard() {
    if (!watcher_.joinable()) return;
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &previous_actions[i], nullptr);
    [[maybe_unused]] const ssize_t written = ::write(write_end_, &kEnd, 1);
    watcher_.join();
    signal_pipe = -1;
    ::close(read_end_);
    ::close(write_end_);
}

}  // namespace sluice::cli
