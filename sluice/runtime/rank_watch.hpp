// What the ranks of a run last said, and what that makes of a failure: which stage, host and input; who has gone silent. Pure: the clock is
// an argument.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sluice/program/program.hpp"
#include "sluice/runtime/messages.hpp"
#include "sluice/runtime/mpirun.hpp"

namespace sluice::runtime {

class RankWatch {
public:
    using Clock = std::chrono::steady_clock;

    RankWatch(const program::Program& program, double patience, Clock::time_point start);

    void take(const WorkerMessage& message, Clock::time_point now);
    [[nodiscard]] bool all_ready() const;
    [[nodiscard]] bool all_finished() const;
    [[nodiscard]] const std::optional<Failed>& first_failure() const { return failed_; }

    /// A rank that has said nothing for the patience and a margin, or a start that takes longer.
    [[nodiscard]] std::optional<Diagnostic> hang(Clock::time_point now) const;
    /// The first `Failed`, with what the others last said; a rank that fell silent long before it is the one to blame.
    [[nodiscard]] Diagnostic failure(Clock::time_point now, const MpirunLog& log) const;
    /// A rank that mpirun says is gone.
    [[nodiscard]] Diagnostic ended(const RankEnd& end, Clock::time_point now, const MpirunLog& log) const;

    /// "stage 2", "stage 1 (replica 3)", "the host process"
    [[nodiscard]] std::string name_of(std::int64_t rank) const;
    /// "stage 2 (rank 3 on node7)"
    [[nodiscard]] std::string place_of(std::int64_t rank) const;

    [[nodiscard]] std::vector<std::optional<Ready>>& ready() { return ready_; }
    [[nodiscard]] std::vector<std::optional<Finished>>& finished() { return finished_; }

private:
    [[nodiscard]] bool known(std::int64_t rank) const { return rank >= 0 && rank < static_cast<std::int64_t>(heard_.size()); }
    [[nodiscard]] std::optional<std::int64_t> silent(Clock::time_point now, double seconds) const;
    [[nodiscard]] std::string last_words(std::int64_t rank, Clock::time_point now) const;
    [[nodiscard]] Diagnostic lost(const RankEnd& end, Clock::time_point now, const MpirunLog& log) const;
    void note_all(Diagnostic& diagnostic, Clock::time_point now) const;

    std::vector<std::string> names_;
    double patience_;
    Clock::time_point start_, last_;  // last: heard of a rank that was not ready yet
    std::vector<Clock::time_point> heard_;
    std::vector<std::optional<Ready>> ready_;
    std::vector<std::optional<Status>> status_;
    std::vector<std::optional<Finished>> finished_;
    std::optional<Failed> failed_;
    std::optional<std::int64_t> mute_;  // who had been silent when it came; mpirun wakes stopped ranks to end them
};

/// "its last log lines:" and the lines, as notes.
void note_log(Diagnostic& diagnostic, const std::vector<std::string>& lines);

}  // namespace sluice::runtime
