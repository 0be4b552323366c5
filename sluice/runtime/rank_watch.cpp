#include "sluice/runtime/rank_watch.hpp"

#include <algorithm>
#include <csignal>
#include <format>
#include <ranges>
#include <utility>

namespace sluice::runtime {

namespace {

double seconds_between(RankWatch::Clock::time_point from, RankWatch::Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

// On busy cores a rank's line may be late; a patience of a second needs no ten more.
double margin(double patience) { return std::clamp(patience / 4, 1.0, 10.0); }

constexpr std::size_t kMostNamed = 12;  // ranks in one diagnostic

}  // namespace

void note_log(Diagnostic& diagnostic, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) diagnostic.notes.push_back(std::format("log: {}", line));
}

RankWatch::RankWatch(const program::Program& program, double patience, Clock::time_point start)
    : patience_(patience), start_(start), last_(start) {
    const std::size_t ranks = static_cast<std::size_t>(program.ranks);
    names_.assign(ranks, "the host process");
    heard_.assign(ranks, start);
    ready_.resize(ranks);
    status_.resize(ranks);
    finished_.resize(ranks);
    for (const program::InstructionList& list : program.lists) {
        if (list.role != program::Role::stage || !known(list.rank)) continue;
        std::string& name = names_[static_cast<std::size_t>(list.rank)];
        name = std::format("stage {}", list.stage.index());
        if (program.stages[list.stage.index()].replicas > 1) name += std::format(" (replica {})", list.replica);
    }
}

std::string RankWatch::name_of(std::int64_t rank) const {
    return known(rank) ? names_[static_cast<std::size_t>(rank)] : std::format("rank {}", rank);
}

std::string RankWatch::place_of(std::int64_t rank) const {
    const auto* ready = known(rank) && ready_[static_cast<std::size_t>(rank)] ? &*ready_[static_cast<std::size_t>(rank)] : nullptr;
    return std::format("{} (rank {}{})", name_of(rank), rank, ready != nullptr && !ready->host.empty() ? " on " + ready->host : "");
}

void RankWatch::take(const WorkerMessage& message, Clock::time_point now) {
    const auto heard = [&](std::int64_t rank) {
        if (known(rank) && !ready_[static_cast<std::size_t>(rank)]) last_ = now;
        if (known(rank)) heard_[static_cast<std::size_t>(rank)] = now;
        return known(rank);
    };
    if (const auto* ready = std::get_if<Ready>(&message)) {
        if (heard(ready->rank)) ready_[static_cast<std::size_t>(ready->rank)] = *ready;
        // Whoever was ready before has been waiting for this one.
        if (all_ready()) std::ranges::fill(heard_, now);
    } else if (const auto* status = std::get_if<Status>(&message)) {
        if (heard(status->rank)) status_[static_cast<std::size_t>(status->rank)] = *status;
    } else if (const auto* finished = std::get_if<Finished>(&message)) {
        if (heard(finished->rank)) finished_[static_cast<std::size_t>(finished->rank)] = *finished;
    } else if (const auto* failed = std::get_if<Failed>(&message)) {
        heard(failed->rank);
        if (failed_) return;
        failed_ = *failed;
        if (all_ready()) mute_ = silent(now, std::max(1.0, 0.8 * patience_));
    } else {
        heard(0);  // Delivered
    }
}

bool RankWatch::all_ready() const {
    return std::ranges::all_of(ready_, [](const auto& ready) { return ready.has_value(); });
}

bool RankWatch::all_finished() const {
    return std::ranges::all_of(finished_, [](const auto& finished) { return finished.has_value(); });
}

std::string RankWatch::last_words(std::int64_t rank, Clock::time_point now) const {
    const std::size_t r = static_cast<std::size_t>(rank);
    if (finished_[r]) return std::format("{} is done with its {} inputs", place_of(rank), finished_[r]->inputs);
    const double ago = seconds_between(heard_[r], now);
    if (status_[r])
        return std::format("{} said {:.1f} s ago: {}{}, {} inputs done", place_of(rank), ago, status_[r]->state,
                           status_[r]->input >= 0 ? std::format(", input {}", status_[r]->input) : "", status_[r]->done);
    return ready_[r] ? std::format("{} was ready and has said nothing since, for {:.1f} s", place_of(rank), ago)
                     : std::format("{} was not ready {:.1f} s after the start", place_of(rank), seconds_between(start_, now));
}

void RankWatch::note_all(Diagnostic& diagnostic, Clock::time_point now) const {
    // The longest silent first.
    std::vector<std::int64_t> order(heard_.size());
    for (std::size_t r = 0; r < order.size(); ++r) order[r] = static_cast<std::int64_t>(r);
    std::ranges::stable_sort(order, {}, [&](std::int64_t r) { return heard_[static_cast<std::size_t>(r)]; });
    for (const std::int64_t rank : order | std::views::take(kMostNamed)) diagnostic.notes.push_back(last_words(rank, now));
    if (order.size() > kMostNamed) diagnostic.notes.push_back(std::format("and {} more ranks, heard of later", order.size() - kMostNamed));
}

std::optional<std::int64_t> RankWatch::silent(Clock::time_point now, double seconds) const {
    std::optional<std::int64_t> worst;
    for (std::size_t r = 0; r < heard_.size(); ++r)
        if (!finished_[r] && seconds_between(heard_[r], now) > seconds && (!worst || heard_[r] < heard_[static_cast<std::size_t>(*worst)]))
            worst = static_cast<std::int64_t>(r);
    return worst;
}

std::optional<Diagnostic> RankWatch::hang(Clock::time_point now) const {
    const std::string raise = "if it only needs longer, give --watchdog a longer time";
    const double limit = patience_ + margin(patience_);
    if (!all_ready()) {
        if (seconds_between(last_, now) <= limit) return std::nullopt;
        const auto late = std::ranges::count_if(ready_, [](const auto& ready) { return !ready.has_value(); });
        Diagnostic diagnostic{
            DiagnosticKind::internal,
            std::format("the run hangs at its start: {} of {} ranks are not ready, and none has said anything for {:.0f} s", late,
                        ready_.size(), seconds_between(last_, now)),
            {},
            {},
            raise};
        note_all(diagnostic, now);
        return diagnostic;
    }
    const auto rank = silent(now, limit);
    if (!rank) return std::nullopt;
    const std::size_t r = static_cast<std::size_t>(*rank);
    bool all = heard_.size() > 1;  // nobody speaks: whoever it was has taken the others' voice, so no one is blamed
    for (std::size_t other = 0; other < heard_.size(); ++other)
        all = all && (finished_[other] || seconds_between(heard_[other], now) > 0.75 * limit);
    const double quiet = seconds_between(heard_[r], now);
    Diagnostic diagnostic{DiagnosticKind::internal, {}, {}, {}, raise};
    if (all) {
        diagnostic.message = std::format("the run hangs: no rank has said anything for {:.0f} s", quiet);
    } else {
        diagnostic.message = std::format("the run hangs: {} has said nothing for {:.0f} s", place_of(*rank), quiet);
        if (status_[r] && status_[r]->input >= 0)
            diagnostic.message += std::format("; it was at input {}, '{}'", status_[r]->input, status_[r]->state);
    }
    note_all(diagnostic, now);
    return diagnostic;
}

Diagnostic RankWatch::failure(Clock::time_point now, const MpirunLog& log) const {
    Diagnostic diagnostic = failed_->diagnostic;
    if (const auto mute = mute_; mute && *mute != failed_->rank) {
        diagnostic.notes.insert(diagnostic.notes.begin(), std::format("{} noticed: {}", place_of(failed_->rank), diagnostic.message));
        diagnostic.message = std::format("{} hangs: it says nothing any more", place_of(*mute));
        if (const auto& status = status_[static_cast<std::size_t>(*mute)]; status && status->input >= 0)
            diagnostic.message += std::format("; it was at input {}, '{}'", status->input, status->state);
        note_all(diagnostic, now);
        return diagnostic;
    }
    if (failed_->rank >= 0) {
        diagnostic.message = std::format("{}{}: {}", place_of(failed_->rank),
                                         failed_->input >= 0 ? std::format(", input {}", failed_->input) : "", diagnostic.message);
        note_log(diagnostic, log.last_lines(failed_->rank));
    }
    return diagnostic;
}

Diagnostic RankWatch::lost(const RankEnd& end, Clock::time_point now, const MpirunLog& log) const {
    // Over TCP a rank sees that its peer is gone, and aborts, before mpirun hears of the peer's end. Which peer: one on the host it names.
    std::vector<std::int64_t> suspects;
    if (log.unreachable() && known(*log.unreachable()) && *log.unreachable() != end.rank) suspects.push_back(*log.unreachable());
    for (std::size_t r = 0; r < ready_.size() && !log.unreachable(); ++r)
        if (ready_[r] && std::cmp_not_equal(r, end.rank) && ready_[r]->host == log.lost_host())
            suspects.push_back(static_cast<std::int64_t>(r));
    Diagnostic diagnostic{DiagnosticKind::internal, {}, {}, {}, {}};
    const std::string notice = std::format("{} has lost its connection to it", place_of(end.rank));
    if (suspects.size() == 1) {
        const auto& status = status_[static_cast<std::size_t>(suspects[0])];
        diagnostic.message = std::format("{} is gone{}: {}", place_of(suspects[0]),
                                         status && status->input >= 0                    ? std::format(" at input {}", status->input)
                                         : ready_[static_cast<std::size_t>(suspects[0])] ? " before its first input"
                                                                                         : " before it was ready",
                                         notice);
        diagnostic.notes.push_back(last_words(suspects[0], now));
        note_log(diagnostic, log.last_lines(suspects[0]));
    } else {
        diagnostic.message = log.lost_host().empty() ? std::format("{} gave up: MPI aborted it", place_of(end.rank))
                                                     : std::format("a rank on {} is gone: {}", log.lost_host(), notice);
        note_all(diagnostic, now);
        note_log(diagnostic, log.last_lines(end.rank));
    }
    diagnostic.help = "killed, out of memory (`dmesg` there tells), or the network between the hosts has failed";
    return diagnostic;
}

Diagnostic RankWatch::ended(const RankEnd& end, Clock::time_point now, const MpirunLog& log) const {
    if (end.aborted) return lost(end, now, log);
    std::string what =
        end.signal != 0 ? std::format("was ended by signal {}{}", end.signal, end.signal_name.empty() ? "" : " (" + end.signal_name + ")")
                        : std::format("ended with exit code {} and no word why", end.exit_code);
    Diagnostic diagnostic{DiagnosticKind::internal, {}, {}, {}, {}};
    std::string place = place_of(end.rank);
    if (known(end.rank)) {
        const std::size_t r = static_cast<std::size_t>(end.rank);
        if (!ready_[r] && !end.host.empty()) place = std::format("{} (rank {} on {})", name_of(end.rank), end.rank, end.host);
        if (status_[r] && status_[r]->input >= 0)
            what += std::format(" at input {}", status_[r]->input);
        else if (!ready_[r])
            what += " before it was ready";
        else
            what += " before its first input";
        diagnostic.notes.push_back(last_words(end.rank, now));
    }
    if (end.process > 0) diagnostic.notes.push_back(std::format("it was process {}", end.process));
    if (!known(end.rank)) {  // mpirun did not say
        place = "one of the ranks";
        what += all_ready() ? "" : " before all were ready";
        note_all(diagnostic, now);
    }
    diagnostic.message = std::format("{} {}", place, what);
    const auto lines = log.last_lines(end.rank);
    note_log(diagnostic, lines);
    if (lines.empty() && known(end.rank)) diagnostic.notes.emplace_back("it left no log lines");
    if (end.signal == SIGKILL)
        diagnostic.help = "signal 9 comes from a person, a batch system, or the kernel when memory runs out: `dmesg` tells";
    if (end.signal == SIGSEGV || end.signal == SIGABRT || end.signal == SIGILL || end.signal == SIGBUS)
        diagnostic.help = "a crash inside the worker; `--level 0` tells whether a graph optimisation is to blame";
    return diagnostic;
}

}  // namespace sluice::runtime
