// A timeline as Chrome's trace JSON, which ui.perfetto.dev and chrome://tracing open: a process for each group of tracks, a thread for each
// track, slices, arrows from the first task of a message to every other of it, counters of memory. Times keep their picoseconds.
// Pure; O(tasks log tasks). Equal traces give equal bytes.
#pragma once

#include <span>
#include <string>

#include "sluice/simulate/inference.hpp"

namespace sluice::report {

/// Tasks in any order; those of one track must not overlap.
struct TraceView {
    std::span<const std::string> names;
    std::span<const simulate::TraceTrack> tracks;
    std::span<const simulate::TraceTask> tasks;
    std::span<const simulate::TraceCounter> counters;
};

[[nodiscard]] std::string trace_text(const TraceView& trace);

}  // namespace sluice::report
