// A request's completion and the sleep of those who wait for it; what the back ends of transport.hpp share.
// Private to this layer.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace sluice::runtime {

class Request {
public:
    virtual ~Request() = default;

    [[nodiscard]] bool done() const { return state_.load(std::memory_order_acquire) == State::done; }
    void complete() { leave(State::done); }
    void abandon() { leave(State::abandoned); }  // it never will be done: the transport failed

    [[nodiscard]] bool wait(const std::stop_token& stop, std::chrono::nanoseconds patience) const {
        if (done()) return true;
        // Far enough for "for ever", near enough for the clock not to overflow.
        const auto until = std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(patience, std::chrono::hours(24 * 365));
        const std::stop_callback wake(stop, [this] {
            const std::lock_guard lock(mutex_);
            changed_.notify_all();
        });
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, until, [&] { return state_.load(std::memory_order_acquire) != State::open || stop.stop_requested(); });
        return done();
    }

private:
    enum class State : unsigned char { open, done, abandoned };

    void leave(State to) {
        const std::lock_guard lock(mutex_);
        if (state_.load(std::memory_order_relaxed) != State::open) return;
        state_.store(to, std::memory_order_release);
        changed_.notify_all();
    }

    std::atomic<State> state_{State::open};
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
};

}  // namespace sluice::runtime
