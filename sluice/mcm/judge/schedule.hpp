// The order of a chip's kernels: a list schedule that keeps little alive. Of the ready kernels the one that adds least to what is alive
// when it is done (what it makes, less what nobody reads after it) goes next; of equals the one that comes first in the model. Where the
// model's own order keeps less alive at its worst, that one is taken. Deterministic.
#pragma once

#include <cstdint>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/units.hpp"

namespace sluice::mcm {

struct KernelGraph {
    Rows<std::uint32_t> makes, reads;  // per kernel: tensors; reads: of other kernels' only
    std::vector<std::uint32_t> maker;  // per tensor: kernel
    std::vector<Bytes> size;           // per tensor; 0: not among what the schedule can save
    std::vector<Bytes> scratch;        // per kernel, while it runs
};

/// Kernels numbered so that each reads only what lower ones make. Only the first 32 ready ones are looked at, so that wide graphs cost
/// no more than long ones: O(32 x what kernels read).
[[nodiscard]] std::vector<std::uint32_t> schedule(const KernelGraph& kernels);

}  // namespace sluice::mcm
