// Wall and CPU time side by side: a wall time means something only beside the CPU time spent in it.
#pragma once

#include <chrono>
#include <ctime>

namespace sluice::runtime {

class StopWatch {
public:
    StopWatch() : wall_(std::chrono::steady_clock::now()), cpu_(cpu_now()) {}
    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_).count(); }
    /// Of all threads of the process.
    [[nodiscard]] double cpu_seconds() const { return cpu_now() - cpu_; }

private:
    [[nodiscard]] static double cpu_now() {
        timespec time{};
        ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    }
    std::chrono::steady_clock::time_point wall_;
    double cpu_;
};

}  // namespace sluice::runtime
