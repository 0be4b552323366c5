// What sluice-worker can be asked to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/runtime/profile.hpp"
#include "sluice/runtime/worker/clock.hpp"

namespace sluice::runtime {

/// `sluice-worker profile`: the raw part of measured costs, here and now. Fills everything of a RawProfile.
struct ProfileRun {
    std::filesystem::path model, scratch, json;  // scratch: a folder for the optimised model and ONNX Runtime's own file
    ProfileOptions options;
};
[[nodiscard]] Result<RawProfile> run_profile(const ProfileRun& run);

/// `sluice-worker run`: says everything on stdout (messages.hpp). Returns when all is well; after Failed the process ends in here, with 1.
struct JobRun {
    std::filesystem::path job;
    bool in_process = false;
};
void run_job(const JobRun& run, const StopWatch& since_main);

/// `sluice-worker versions`: {"onnxruntime", "onnxruntime_providers", "mpi", "onnx"}.
[[nodiscard]] std::string versions_text();

/// `sluice-worker loopback`, as two ranks: a mebibyte there and back. Of rank 0: {"bytes", "seconds"}; of rank 1 nothing.
[[nodiscard]] Result<std::string> loopback();

}  // namespace sluice::runtime
