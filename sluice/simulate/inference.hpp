// An inference program in simulated time on a platform: throughput, latency, utilisation, queues, memory (design §3.1, §3.2).
// Deterministic; integer picoseconds; O((inputs x instructions) log(devices + links)); memory grows with what is under way, and by eight
// bytes an input.
//
// Devices. serial: one list of tasks, in the order of the program: a tensor enters (transfer on the device) once its message has arrived,
// the stage works, each tensor leaves once, whatever the number of stages that read it, as soon as each of them has a buffer. overlap:
// entering, work and leaving are three such lists. Every task starts as early as it can, so the program is a timed event graph; with free
// links and the credits of program::lower its steady throughput is exactly 1 / max f/r (argued in program/lower.hpp).
// Links. uniform: every pair of devices has its own, the transfer is in the devices' time. chain, ring, hierarchy: the hops between two
// devices (simulate/wires.hpp) are shared, each occupied from when the message starts to leave for latency + bytes/rate of the link, or as
// long as the sender takes where that is longer; cut-through, so that an uncontended message is there when its sender is done. FIFO, or
// the rate shared equally by the messages on a link (a message that is held up elsewhere keeps its share).
// The host is no device: inputs are always there, outputs are taken at once, only the stage's side of a transfer takes time.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/units.hpp"
#include "sluice/platform/platform.hpp"
#include "sluice/program/program.hpp"
#include "sluice/simulate/engine.hpp"

namespace sluice::simulate {

/// Each leaves its time, eight bytes, behind.
inline constexpr std::int64_t kMostInputs = std::int64_t{1} << 30;

struct InferenceOptions {
    std::int64_t inputs = 1000;
    LinkSharing sharing = LinkSharing::fifo;
    bool trace = false;                   // keep every task, for report/ (memory grows with inputs x instructions)
    std::int64_t most_tasks = 1'000'000;  // of a trace
    std::stop_token stop = {};
    std::function<void(std::int64_t outputs, std::int64_t events)> progress = {};  // called every few thousand events
};

struct StageUse {
    double utilisation = 0;  // busy share of a replica's device (overlap: of its busiest engine) in the steady part, mean over replicas
    Duration busy{0};        // device time of one input (overlap: of the busiest engine)
    std::int64_t longest_queue = 0;  // of a replica: inputs whose messages have all arrived and that the device has not taken up
    double mean_queue = 0;           // the same over the steady part, mean over replicas
    Bytes peak_memory;               // of a replica: parameters, receive buffers in use, activations, outputs not yet sent
    Bytes reserved_memory;           // parameters, all receive and output buffers, activations: what a process that binds once allocates
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
    double throughput_per_s = 0;  // steady_inputs / steady_time
    /// Exact: picoseconds between the outputs that delimit the steady part, and how many inputs lie between; a multiple of the replicas'
    /// common period where that fits. The steady part is from when the last stage that feeds the slowest one has done half of its inputs
    /// until the first of them has done all, before the pipeline drains.
    Duration steady_time{0};
    std::int64_t steady_inputs = 0;
    bool steady = true;        // false: too few inputs for a steady part; then it is the second half, or the whole, of the outputs
    std::int64_t outputs = 0;  // inputs that came out; fewer than asked for when stopped
    /// max f/r of the program's own times: what the throughput is predicted from.
    Duration bottleneck_work{0};
    std::int64_t bottleneck_replicas = 1;
    StageId bottleneck;
    Duration makespan{0};
    Duration first_latency{0}, mean_latency{0}, largest_latency{0};  // from an input's first send or forward to its last output
    std::vector<StageUse> stages;
    std::vector<LinkUse> links;  // those that carried something; uniform: per pair of stages, mean over pairs of devices
    std::int64_t events = 0;
    std::vector<std::string> names;
    std::vector<TraceTrack> tracks;
    std::vector<TraceTask> tasks;        // with options.trace
    std::vector<TraceCounter> counters;  // memory, with options.trace
};

/// Topologies that end somewhere (chain, nodes) go on as far as the program has devices. A stop keeps what was simulated so far.
/// Diagnostics: a program that program::faults_of refuses, or a platform that platform::check refuses; no inputs, or more than kMostInputs;
/// times that no clock of 2^62 ps holds; a trace of more than `most_tasks`; stopped before anything came out.
[[nodiscard]] Result<InferenceResult> simulate_inference(const program::Program& program, const platform::Platform& platform,
                                                         const InferenceOptions& options = {});

}  // namespace sluice::simulate
