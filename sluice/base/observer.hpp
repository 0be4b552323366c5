// Progress: one event type for every method; the terminal line, events.jsonl and the report's chart are drawn from it.
#pragma once

#include <optional>
#include <string_view>

#include "sluice/base/units.hpp"

namespace sluice {

struct Event {
    double seconds = 0;                 // since the verb began
    std::string_view phase;             // "import", "orders", "cuts"
    std::optional<Duration> objective;  // best found so far
    std::optional<Duration> bound;      // best proven so far
    std::string_view source;            // the method that moved it; empty: a sign of life
};

/// Called from one thread at a time. Implementations must be cheap: a planner calls it at each improvement and about ten times a second.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void on_event(const Event& event) = 0;
};

class SilentObserver final : public Observer {
public:
    void on_event(const Event&) override {}
};

/// 1 - bound/objective; 0 when the objective is 0.
[[nodiscard]] double gap_of(Duration objective, Duration bound);

}  // namespace sluice
