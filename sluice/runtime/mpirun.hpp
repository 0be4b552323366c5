// What mpirun is told, and what it says: its words, and its output taken apart again.
// Source: Open MPI 5.0.7 with PRRTE 3.0.8 as they behave; `--output tag` begins each line with "[JOB,RANK]<stdout>: ".
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::runtime {

struct MpirunCall {
    std::int64_t ranks = 1;
    std::filesystem::path worker, job, hostfile, shared_memory;
    bool several_hosts = false;
    std::vector<std::string> further;
};
[[nodiscard]] std::vector<std::string> mpirun_words(const MpirunCall& call);

/// How mpirun says a rank ended.
struct RankEnd {
    std::int64_t rank = -1;
    std::string host;
    std::int64_t process = -1;
    int signal = 0;
    std::string signal_name;  // "Killed"
    int exit_code = 0;
    bool aborted = false;  // MPI gave up in it: on several hosts that is how the loss of another rank is seen first
    friend bool operator==(const RankEnd&, const RankEnd&) = default;
};

/// Bytes in, lines out, whatever the pieces.
class LineSplitter {
public:
    /// The lines that `bytes` complete, without their newlines. A line of a mebibyte is cut.
    [[nodiscard]] std::vector<std::string> add(std::string_view bytes);

private:
    std::string rest_;
};

/// A line of a rank, its tag taken off; nothing when it is mpirun's own.
struct TaggedLine {
    std::int64_t rank = 0;
    std::string_view text;
};
[[nodiscard]] std::optional<TaggedLine> untag(std::string_view line);

/// What was said on stderr: the last lines of each rank, mpirun's paragraphs (between dashes) as one line each, and who ended first.
class MpirunLog {
public:
    static constexpr std::size_t kKept = 8;  // lines
    void add(std::string_view line);
    [[nodiscard]] std::vector<std::string> last_lines(std::int64_t rank) const;
    [[nodiscard]] const std::deque<std::string>& own() const { return own_; }
    [[nodiscard]] const std::optional<RankEnd>& first_end() const { return first_end_; }
    /// The host whose connection a rank has lost, as MPI says; empty: none.
    [[nodiscard]] const std::string& lost_host() const { return lost_host_; }
    /// The rank that another could not reach while MPI started.
    [[nodiscard]] std::optional<std::int64_t> unreachable() const { return unreachable_; }

private:
    void end_paragraph();
    void take_clues(std::string_view text);
    std::map<std::int64_t, std::deque<std::string>> ranks_;
    std::deque<std::string> own_;
    std::string paragraph_, lost_host_;
    std::optional<std::int64_t> unreachable_;
    bool inside_ = false;
    std::optional<RankEnd> first_end_;
};

/// The paragraph "prterun noticed that process rank 1 with PID 7 on node vm exited on signal 9 (Killed)." and its sisters.
[[nodiscard]] std::optional<RankEnd> read_rank_end(std::string_view paragraph);

}  // namespace sluice::runtime
