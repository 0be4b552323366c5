// Are the outputs of two runs the same? Both files are read piece by piece, an input at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

struct Comparison {
    std::int64_t values = 0, bitwise = 0;  // compared; with the same bits
    double largest_error = 0;              // |a - b| over the largest |b| of the same output and input; infinite where one is no number
    std::string worst;                     // "output 'logits' of input 3"; empty when all bits agree
};

/// .npz files of a run (inputs stacked along the first axis); `reference` is b. Deterministic; O(values) time, a mebibyte of memory.
/// Diagnostics: unreadable; arrays, types or shapes that differ (kind verification).
[[nodiscard]] Result<Comparison> compare_outputs(const std::filesystem::path& outputs, const std::filesystem::path& reference,
                                                 const std::stop_token& stop = {});

}  // namespace sluice::runtime
