// What the launcher tells every rank of a run (`sluice.job/1` JSON, a temporary file that all hosts can read).
//
// Every rank is started as `sluice-worker run JOB_FILE`. Rank 0's stdin: a line "stop" asks it to drain (feed no further input, deliver
// what is under way, end with exit 0); end of file there means nothing, since a worker may be started by hand. Every other rank's stdin is
// empty. Stdout is for messages.hpp, stderr for logs. Exit codes: 0 after `Finished`, 1 after `Failed`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/json.hpp"
#include "sluice/program/program.hpp"

namespace sluice::runtime {

inline constexpr std::string_view kJobFormat = "sluice.job/1";

struct Job {
    program::Program program;
    std::filesystem::path stages;                 // folder of manifest.json and the stage models
    std::optional<std::int64_t> inputs;           // how many; or
    std::optional<double> seconds;                // for how long
    std::int64_t warm_up = 3;                     // forwards of each stage on made-up data before the clock starts
    std::optional<std::filesystem::path> input;   // .npz: one array a model input, of its shape or with one more leading axis
    std::optional<std::filesystem::path> output;  // .npz: one array a model output, inputs stacked along a new first axis
    std::int64_t distinct_inputs = 16;            // made-up ones, used in turn, without `input`
    std::uint64_t seed = 0;
    bool deliver = false;      // send model outputs to the host (always with `output`); else only that they are done
    std::int64_t threads = 1;  // intra-op, of each stage replica
    int optimisation = 99;     // ONNX Runtime's level: 0, 1, 2, 99
    double patience = 60;      // watchdog: seconds without progress before a wait is called a hang
    bool synchronous_sends = false;
    friend bool operator==(const Job&, const Job&) = default;
};

[[nodiscard]] std::string to_json_text(const Job& job);
[[nodiscard]] Result<Job> read_job_file(const std::filesystem::path& path);

}  // namespace sluice::runtime
