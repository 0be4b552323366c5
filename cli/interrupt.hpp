// Ctrl-C (and SIGTERM): the first asks the work to stop at its next check, the second ends the process at once with 130.
// The handler itself only counts and writes one byte to a pipe; a thread that reads the pipe requests the stop, since requesting runs
// callbacks.
#pragma once

#include <stop_token>
#include <thread>

namespace sluice::cli {

class Terminal;

/// At most one at a time. While it lives, signals are taken as above; a signal that was ignored when it was made stays ignored (nohup).
class InterruptGuard {
public:
    explicit InterruptGuard(Terminal& terminal);
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

    [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

private:
    std::stop_source stop_;
    int read_end_ = -1, write_end_ = -1;
    std::thread watcher_;
};

}  // namespace sluice::cli
