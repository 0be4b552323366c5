// An inference program in simulated time on a platform: throughput, latency, utilisation, queues, memory (design §3.1, §3.2).
// Deterministic; integer picoseconds; O((inputs x instructions) log(tasks under way)).
//
// Devices. serial: a tensor leaves its stage once (transfer on the device) and enters each consumer once (transfer on that device),
// decoupled by a buffer, so that with free links the steady throughput is 1/bottleneck. overlap: compute, in and out are three engines.
// Links. uniform: every pair of devices has its own, the transfer is in the devices' time. chain, ring, hierarchy: the hops between two
// devices are shared resources, occupied for bytes/rate from when the message starts to leave; FIFO, or bandwidth shared fairly.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/units.hpp"
#include "sluice/platform/platform.hpp"
#include "sluice/program/program.hpp"

namespace sluice::simulate {

enum class LinkSharing : std::uint8_t { free, fifo, fair };

struct InferenceOptions {
    std::int64_t inputs = 1000;
    LinkSharing sharing = LinkSharing::fifo;
    bool trace = false;  // keep every task, for report/ (memory grows with inputs x instructions)
    std::stop_token stop;
};

struct StageUse {
    double utilisation = 0;  // busy share of a replica's device between the first and the last output, mean over replicas
    Duration busy{0};        // a replica's device time for one input, mean
    std::int64_t longest_queue = 0;
    double mean_queue = 0;  // inputs whose messages have all arrived and that wait for the device
    Bytes peak_memory;      // parameters + buffers + activations
};

struct LinkUse {
    std::string name;  // "0 -> 1", "node 0 uplink"
    double utilisation = 0;
    std::int64_t longest_queue = 0;
    Bytes bytes;
};

/// One slice of a track, or one counter value.
struct TraceTask {
    std::uint32_t track = 0;  // into InferenceResult::tracks
    std::uint32_t name = 0;   // into InferenceResult::names
    std::int64_t input = 0;
    Duration start{0}, end{0};
    std::uint64_t flow = 0;  // tasks of one message share it; 0: none
};
struct TraceCounter {
    std::uint32_t track = 0;
    Duration time{0};
    std::int64_t value = 0;
};
struct TraceTrack {
    std::string group, name;  // "device 3 (stage 2)", "compute"
};

struct InferenceResult {
    double throughput_per_s = 0;  // steady: over the second half of the inputs
    /// Exact: picoseconds between the outputs that delimit the steady part, and how many inputs lie between.
    Duration steady_time{0};
    std::int64_t steady_inputs = 0;
    Duration makespan{0};
    Duration first_latency{0}, mean_latency{0}, largest_latency{0};  // from an input's first send or forward to its last output
    std::vector<StageUse> stages;
    std::vector<LinkUse> links;
    std::int64_t events = 0;
    std::vector<std::string> names;
    std::vector<TraceTrack> tracks;
    std::vector<TraceTask> tasks;        // with options.trace
    std::vector<TraceCounter> counters;  // memory, with options.trace
};

/// Diagnostics: a program that program::faults_of refuses; more devices than the platform has; stopped.
[[nodiscard]] Result<InferenceResult> simulate_inference(const program::Program& program, const platform::Platform& platform,
                                                         const InferenceOptions& options = {});

}  // namespace sluice::simulate
