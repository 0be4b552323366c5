#include "cli/progress.hpp"

#include "cli/terminal.hpp"
#include "sluice/report/progress.hpp"

namespace sluice::cli {

namespace {
constexpr double kDelay = 0.3;  // what ends sooner shows no line
constexpr double kInterval = 0.1;
}  // namespace

void Progress::on_event(const Event& event) {
    const bool better_plan = event.objective && (!objective_ || *event.objective < *objective_);
    const bool better_bound = event.bound && (!bound_ || *event.bound > *bound_);
    if (better_plan) objective_ = event.objective;
    if (better_bound) bound_ = event.bound;
    if ((better_plan || better_bound) && !event.source.empty()) source_ = event.source;

    const Event now{session_.seconds(), event.phase, objective_, bound_, event.source.empty() ? std::string_view(source_) : event.source};
    if (better_plan || better_bound) events_ += report::event_line(now);

    Terminal& terminal = session_.terminal;
    if (terminal.live()) {
        if (now.seconds < kDelay || now.seconds - shown_ < kInterval) return;
        shown_ = now.seconds;
        terminal.show_line(report::progress_line(verb_, now, terminal.width() - 1));  // a full last column would wrap
    } else if (better_plan || better_bound) {
        terminal.line(report::progress_line(verb_, now));
    }
}

}  // namespace sluice::cli
