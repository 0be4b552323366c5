// What ONNX Runtime's own profiler says of a model: the raw material of measured costs (`sluice.kernels/1` JSON, which
// `sluice-worker profile` writes). Kernels are those of the optimised graph; nothing is mapped to operators here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/json.hpp"

namespace sluice::runtime {

inline constexpr std::string_view kKernelsFormat = "sluice.kernels/1";

/// A node of the optimised graph, in the order of execution. Bodies of If, Loop and Scan are inside their node's time and not listed.
struct RawKernel {
    std::string name;                          // ONNX Runtime's: the node's, or TYPE_INDEX for one without
    std::string op_type;                       // "Conv", "FusedMatMul", "ReorderInput", …
    std::string domain;                        // "" (ONNX's own), "com.microsoft", "com.microsoft.nchwc", …
    std::vector<std::string> inputs, outputs;  // tensors of the optimised graph, initializers included; "" for one left out
    double min_us = 0, median_us = 0;          // over the runs, warm-up left out
    std::int64_t runs = 0;
    friend bool operator==(const RawKernel&, const RawKernel&) = default;
};

struct RawProfile {
    std::vector<RawKernel> kernels;
    double whole_min_us = 0, whole_median_us = 0;        // one run of the model, without profiling
    double profiled_min_us = 0, profiled_median_us = 0;  // and with
    double whole_cpu_us = 0;  // CPU time of one such run, the least; far below whole_min_us × threads: the cores were not free
    std::int64_t runs = 0;
    std::int64_t threads = 1;
    int optimisation = 99;
    std::string library;    // "ONNX Runtime 1.21.0"
    std::string processor;  // model name; may be empty
    friend bool operator==(const RawProfile&, const RawProfile&) = default;
};

[[nodiscard]] std::string to_json_text(const RawProfile& profile);
[[nodiscard]] Result<RawProfile> read_raw_profile(const json::Node& document);

struct ProfileOptions {
    std::filesystem::path worker = {};  // see find_worker
    std::int64_t threads = 1;
    int optimisation = 99;  // ONNX Runtime's level: 0, 1, 2, 99
    std::int64_t runs = 10, warm_up = 3;
    std::vector<std::pair<std::string, std::int64_t>> dimensions = {};           // symbolic dimensions by name
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> shapes = {};  // whole input shapes by input name; win over dimensions
    std::stop_token stop = {};
};

/// Runs `sluice-worker profile` on an ONNX file whose weights are there, on made-up inputs. Its temporary folder (the optimised model with
/// its weights lies there for a moment) is under $TMPDIR and removed. Diagnostics: no worker; a model that ONNX Runtime refuses, in its
/// words; an input dimension without a size; a worker that crashed, with its last lines; stopped.
[[nodiscard]] Result<RawProfile> profile(const std::filesystem::path& model, const ProfileOptions& options);

}  // namespace sluice::runtime
