// In which turn a device that holds several stages of a pipeline works on which (Narayanan et al., SC 2021,
// section 2.2): groups of `round` micro-batches go through its stages one after another, and back the other way; before the first backward
// pass come 2 distance + (stages - 1) round forward passes.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::cost {

struct Turn {
    bool forward = true;
    std::size_t place = 0;  // of the device's stages, in their order
    std::int64_t micro_batch = 0;
};

/// `distance`: stages from the device's last one to the end of the pipeline. 2 x stages x micro_batches turns.
[[nodiscard]] std::vector<Turn> interleaved_turns(std::size_t stages, std::int64_t micro_batches, std::int64_t round,
                                                  std::int64_t distance);

}  // namespace sluice::cost
