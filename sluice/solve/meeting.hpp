// Where planner and bound meet: what both know, one serialised stream of events, and the wish to stop.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>

#include "sluice/base/blackboard.hpp"
#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"

namespace sluice::solve {

/// Thread-safe. `by_events`: stop both sides as soon as events show a gap of at most `gap`; off where results must not depend on timing.
class Meeting final : public Observer {
public:
    Meeting(Observer& out, const Limits& limits, double gap, bool by_events);
    Meeting(const Meeting&) = delete;
    Meeting& operator=(const Meeting&) = delete;

    void on_event(const Event& event) override;
    /// Says what is known now, as if a side had.
    void announce(std::string_view phase, std::optional<Duration> objective, std::optional<Duration> bound, std::string_view source);

    /// The caller's limits, except that they also end when the sides have met.
    [[nodiscard]] const Limits& limits() const { return limits_; }
    [[nodiscard]] bool interrupted() const { return user_.stop_requested(); }
    [[nodiscard]] double seconds() const;

    /// What both sides know, for each to look at while it works; null where results must not depend on timing.
    [[nodiscard]] const Blackboard* blackboard() const { return by_events_ ? &blackboard_ : nullptr; }
    /// The first objective, or nothing when planning ended or was stopped without one.
    [[nodiscard]] std::optional<Duration> wait_for_objective();
    void planning_ended();
    /// Ends both sides.
    void stop() { stop_.request_stop(); }

private:
    Observer& out_;
    const double gap_;
    const bool by_events_;
    const Limits::Clock::time_point start_ = Limits::Clock::now();
    std::stop_token user_;
    std::stop_source stop_;
    Limits limits_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::optional<Duration> objective_, bound_;
    Blackboard blackboard_;
    bool planning_ended_ = false;
    struct Forward {
        std::stop_source* to;
        void operator()() const { to->request_stop(); }
    };
    std::stop_callback<Forward> forward_;  // last: needs all of the above
};

/// The largest objective whose gap to `bound` is at most `gap`: reaching it is good enough.
[[nodiscard]] Duration good_enough_for(Duration bound, double gap);
/// The smallest bound whose gap to `objective` is at most `gap`: nothing above it is needed.
[[nodiscard]] Duration bound_needed_for(Duration objective, double gap);

}  // namespace sluice::solve
