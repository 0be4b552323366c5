// What sluice-worker can be asked to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/runtime/profile.hpp"

namespace sluice::runtime {

/// `sluice-worker profile`: the raw part of measured costs, here and now. Fills everything of a RawProfile.
struct ProfileRun {
    std::filesystem::path model, scratch, json;  // scratch: a folder for the optimised model and ONNX Runtime's own file
    ProfileOptions options;
};
[[nodiscard]] Result<RawProfile> run_profile(const ProfileRun& run);

}  // namespace sluice::runtime
