// What a rank says about itself: its state a few times a second, samples of its times.
// Private to this layer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/runtime/messages.hpp"

namespace sluice::runtime {

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
/// CPU seconds of the whole process.
[[nodiscard]] double cpu_seconds();

/// Reports five times a second, from a thread of its own: a rank that hangs goes on saying where.
class Reporter {
public:
    /// Without `report` it only keeps time.
    Reporter(std::int64_t rank, std::function<void(const Status&)> report);
    ~Reporter();  // with a last report

    void at(std::string_view state, std::int64_t input);
    void forwarded(double wall, double cpu);
    void done(std::int64_t inputs);
    [[nodiscard]] double seconds() const { return seconds_since(start_); }
    [[nodiscard]] Clock::time_point start() const { return start_; }

private:
    void report();

    std::function<void(const Status&)> report_;
    Clock::time_point start_ = Clock::now();
    std::mutex mutex_;
    Status status_;
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: it uses all of the above
};

/// Values one after the other, evenly thinned out above 65536 of them.
class Samples {
public:
    void add(double value);
    [[nodiscard]] std::int64_t count() const { return count_; }
    [[nodiscard]] double last() const { return last_; }
    [[nodiscard]] double median() const;
    /// The first kept value not before `index`, and its index.
    [[nodiscard]] std::pair<std::int64_t, double> from(std::int64_t index) const;

private:
    std::vector<double> kept_;
    std::int64_t count_ = 0, every_ = 1;
    double last_ = 0;
};

}  // namespace sluice::runtime
