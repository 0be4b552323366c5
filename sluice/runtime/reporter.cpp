#include "sluice/runtime/reporter.hpp"

#include <time.h>

#include <algorithm>

namespace sluice::runtime {

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Reporter::Reporter(std::int64_t rank, std::function<void(const Status&)> report) : report_(std::move(report)) {
    status_.state = "start";
    status_.rank = rank;
    if (!report_) return;
    thread_ = std::jthread([this](const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait_for(lock, stop, std::chrono::milliseconds(200), [] { return false; });
            if (stop.stop_requested()) return;
            lock.unlock();
            this->report();
            lock.lock();
        }
    });
}

Reporter::~Reporter() {
    if (!report_) return;
    thread_.request_stop();
    thread_.join();
    report();
}

void Reporter::at(std::string_view state, std::int64_t input) {
    const std::lock_guard lock(mutex_);
    status_.state = state;
    status_.input = input;
}

void Reporter::forwarded(double wall, double cpu) {
    const std::lock_guard lock(mutex_);
    status_.busy += wall;
    status_.busy_cpu += cpu;
}

void Reporter::done(std::int64_t inputs) {
    const std::lock_guard lock(mutex_);
    status_.done = inputs;
}

void Reporter::report() {
    Status now;
    {
        const std::lock_guard lock(mutex_);
        status_.seconds = seconds();
        now = status_;
    }
    report_(now);
}

void Samples::add(double value) {
    constexpr std::size_t most = 65536;
    last_ = value;
    if (count_++ % every_ != 0) return;
    kept_.push_back(value);
    if (kept_.size() < most) return;
    for (std::size_t i = 0; i < most / 2; ++i) kept_[i] = kept_[2 * i];
    kept_.resize(most / 2);
    every_ *= 2;
}

double Samples::median() const {
    if (kept_.empty()) return 0;
    std::vector<double> values = kept_;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

std::pair<std::int64_t, double> Samples::from(std::int64_t index) const {
    const std::int64_t at = (index + every_ - 1) / every_;
    if (at >= static_cast<std::int64_t>(kept_.size())) return {count_ - 1, last_};
    return {at * every_, kept_[static_cast<std::size_t>(at)]};
}

}  // namespace sluice::runtime
