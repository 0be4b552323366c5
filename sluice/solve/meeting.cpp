#include "sluice/solve/meeting.hpp"

#include <algorithm>

namespace sluice::solve {

Meeting::Meeting(Observer& out, const Limits& limits, double gap, bool by_events)
    : out_(out), gap_(gap), by_events_(by_events), user_(limits.stop), limits_(limits), forward_(user_, Forward{&stop_}) {
    limits_.stop = stop_.get_token();
}

double Meeting::seconds() const { return std::chrono::duration<double>(Limits::Clock::now() - start_).count(); }

void Meeting::on_event(const Event& event) { announce(event.phase, event.objective, event.bound, event.source); }

void Meeting::announce(std::string_view phase, std::optional<Duration> objective, std::optional<Duration> bound, std::string_view source) {
    bool met = false;
    if (objective) blackboard_.found(*objective);
    if (bound) blackboard_.proved(*bound);
    {
        const std::lock_guard lock(mutex_);
        if (objective) objective_ = std::min(*objective, objective_.value_or(*objective));
        if (bound) bound_ = std::max(*bound, bound_.value_or(*bound));
        met = by_events_ && objective_ && bound_ && gap_of(*objective_, *bound_) <= gap_;
        out_.on_event({.seconds = seconds(), .phase = phase, .objective = objective_, .bound = bound_, .source = source});
    }
    if (objective) changed_.notify_all();
    if (met) stop();
}

std::optional<Duration> Meeting::wait_for_objective() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, limits_.stop, [&] { return objective_ || planning_ended_; });
    return objective_;
}

void Meeting::planning_ended() {
    {
        const std::lock_guard lock(mutex_);
        planning_ended_ = true;
    }
    changed_.notify_all();
}

Duration good_enough_for(Duration bound, double gap) {
    if (gap <= 0) return bound;
    const double estimate = static_cast<double>(bound.count()) / (1 - gap);
    Duration objective{static_cast<std::int64_t>(std::min(estimate, static_cast<double>(kLargestTotal.count())))};
    while (objective > bound && gap_of(objective, bound) > gap) --objective;  // a few steps: the estimate errs by rounding only
    return std::max(objective, bound);
}

Duration bound_needed_for(Duration objective, double gap) {
    if (gap <= 0) return objective;
    Duration bound{static_cast<std::int64_t>(static_cast<double>(objective.count()) * (1 - gap))};
    while (bound < objective && gap_of(objective, bound) > gap) ++bound;
    return std::min(bound, objective);
}

}  // namespace sluice::solve
