// What ranks tell the launcher: one JSON object a line on their stdout, which mpirun forwards from every host.
// mpirun forwards at most 4096 bytes at a time and mixes up ranks' lines where a line is split between two of them (Open MPI 5.0.7: 144 of
// 12000 lines of four ranks that wrote without pause). So: one write() a line, no line above kLongestLine, few lines a second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

/// After sessions are made and warmed up, before the first input.
struct Ready {
    std::int64_t rank = 0;
    std::string host;
    std::int64_t process = 0;                    // pid
    double seconds = 0;                          // since the worker's main began
    std::string library;                         // "ONNX Runtime 1.21.0"
    std::vector<double> alone_ms, alone_cpu_ms;  // the stage by itself, ranks in turn, a few times
};

/// A few times a second, and at the end.
struct Status {
    std::int64_t rank = 0;
    std::int64_t input = -1;  // under way, or last done
    std::string state;        // "receive 'x'", "forward", "wait for send 'y'", "done"
    std::int64_t done = 0;    // inputs
    double seconds = 0;       // since the common start
    double busy = 0;          // seconds in forward so far, wall
    double busy_cpu = 0;      // and CPU of the whole process in them
};

/// Outputs reach the host in input order: at most ten a second, with a count.
struct Delivered {
    std::int64_t inputs = 0;  // so far
    double seconds = 0;       // since the common start
};

/// At the end: of rank 0 the whole, of a stage's ranks their own.
struct Finished {
    std::int64_t rank = 0;
    std::int64_t inputs = 0;
    double seconds = 0;                                                                         // first send to last output (host)
    double steady_per_s = 0;                                                                    // host: over the last 80 % of the inputs
    double latency_min_ms = 0, latency_mean_ms = 0, latency_max_ms = 0;                         // host
    double forward_min_ms = 0, forward_mean_ms = 0, forward_median_ms = 0, forward_cpu_ms = 0;  // stage, mean CPU
    double waited_receive = 0, waited_send = 0;                                                 // seconds
};

struct Failed {
    std::int64_t rank = 0;
    std::int64_t input = -1;
    Diagnostic diagnostic;
};

using WorkerMessage = std::variant<Ready, Status, Delivered, Finished, Failed>;

inline constexpr std::size_t kLongestLine = 3000;

/// One line without its newline; the longest texts and lists are shortened to keep it within kLongestLine. Bytes that are no UTF-8 become
/// U+FFFD.
[[nodiscard]] std::string to_line(const WorkerMessage& message);
/// Nothing when the line is no message of ours (a library printed it).
[[nodiscard]] std::optional<WorkerMessage> read_line(std::string_view line);

}  // namespace sluice::runtime
