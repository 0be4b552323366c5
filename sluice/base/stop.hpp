// When to stop: a deadline, a count of evaluations, or somebody's wish (Ctrl-C). Why it stopped is told apart from what is known.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string_view>

namespace sluice {

enum class StopReason {
    finished,     // the method ran to its natural end
    optimal,      // plan and bound met
    gap,          // the asked gap was reached
    time,         // --time
    evaluations,  // --evals
    interrupted   // Ctrl-C
};
[[nodiscard]] std::string_view to_text(StopReason reason);

struct Termination {
    StopReason reason = StopReason::finished;
    double seconds = 0;
    std::int64_t evaluations = 0;
    friend bool operator==(const Termination&, const Termination&) = default;
};

struct Limits {
    using Clock = std::chrono::steady_clock;
    std::optional<Clock::time_point> deadline;
    std::optional<std::int64_t> evaluations;  // set, and no deadline: results must not depend on the clock
    std::stop_token stop;

    [[nodiscard]] bool interrupted() const { return stop.stop_requested(); }
    [[nodiscard]] bool out_of_time() const { return deadline && Clock::now() >= *deadline; }
};

}  // namespace sluice
