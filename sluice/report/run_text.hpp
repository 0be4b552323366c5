// A run as a person reads it: each stage's own time beside the prediction, throughput measured beside predicted, what else could have been
// run. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/units.hpp"
#include "sluice/cost/stage_cost.hpp"

namespace sluice::report {

struct RunStage {
    cost::StageTerms predicted;
    Duration predicted_time{0};  // by the platform's model, of one replica
    std::int64_t replicas = 1;
    std::vector<std::string> hosts;              // of its replicas
    double alone_ms = 0, alone_cpu_ms = 0;       // of one input, by itself: medians, the slowest replica's
    double forward_ms = 0, forward_cpu_ms = 0;   // and in the pipeline: means
    double waited_receive = 0, waited_send = 0;  // shares of the run, mean over replicas
};

/// Something else that was run on the same inputs: "single", "replicas".
struct RunRival {
    std::string name, what;  // what: "one process, 2 threads"
    double throughput_per_s = 0, latency_ms = 0;
    bool busy = false;
};

struct RunCheck {
    std::int64_t inputs = 0, values = 0, bitwise = 0;  // values compared, and how many of them are the same bits
    double largest_error = 0;                          // over the tensor's largest magnitude
    std::string worst;                                 // "output 'logits' of input 3"
    double tolerance = 0;
    [[nodiscard]] bool holds() const { return largest_error <= tolerance; }
};

struct RunView {
    std::string model, platform, library;
    std::int64_t ranks = 1, threads = 1;
    std::vector<RunStage> stages;
    std::int64_t inputs = 0;
    double seconds = 0, first_output = 0;  // from the first input on; from the start of the ranks to the first output
    double throughput_per_s = 0;
    double latency_min_ms = 0, latency_mean_ms = 0, latency_max_ms = 0;
    double predicted_per_s = 0;
    Duration predicted_latency{0};
    std::vector<std::string> busy;  // why the cores were not free; empty: they were, and the throughput is a measurement
    std::optional<RunCheck> check;
    std::vector<RunRival> rivals;
};

/// CPU time over wall time in a stage's forward tells whether it had its cores: below this they were shared.
inline constexpr double kFreeCores = 0.8;

/// Each stage whose cores were not free, in words.
[[nodiscard]] std::vector<std::string> busy_stages(const std::vector<RunStage>& stages);

/// The slowest stage's own time: max over stages of alone / replicas, in ms; 0 when one is not known.
[[nodiscard]] double slowest_alone_ms(const RunView& run);
/// Throughput x the slowest stage's own time; 1: the pipeline costs nothing.
[[nodiscard]] double efficiency_of(const RunView& run);

[[nodiscard]] std::string run_text(const RunView& run);
[[nodiscard]] nlohmann::ordered_json run_json(const RunView& run);

}  // namespace sluice::report
