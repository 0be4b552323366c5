// From the stream of events to what the user sees: the live line on a terminal (after 0.3 s, at most ten times a second), one line per
// improvement on a pipe. Keeps the events for a run folder.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/session.hpp"
#include "sluice/base/observer.hpp"

namespace sluice::cli {

class Progress final : public Observer {
public:
    Progress(Session& session, std::string_view verb) : session_(session), verb_(verb) {}

    /// Time is that of the verb, whatever the event says.
    void on_event(const Event& event) override;
    /// Every event that moved plan or bound, as JSON lines.
    [[nodiscard]] const std::string& events() const { return events_; }

private:
    Session& session_;
    std::string_view verb_;
    std::optional<Duration> objective_, bound_;
    std::string source_;  // of the last improvement
    double shown_ = 0;    // when the live line was last drawn
    std::string events_;
};

}  // namespace sluice::cli
