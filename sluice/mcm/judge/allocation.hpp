// Where tensors lie in a chip's SRAM: offsets, best fit, as the schedule makes and drops them. Fragmentation is real: a tensor needs one
// hole that is large enough, and nothing moves. What stands beside it in the literature: "dynamic storage allocation"; best fit of the
// lowest address among equals. O(n log n + n x holes), deterministic.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/base/units.hpp"

namespace sluice::mcm {

/// Alive from step `first` to step `last`, both included: two tensors of one step never share a byte.
struct LiveTensor {
    Bytes size;
    std::uint32_t first = 0, last = 0;
};

struct Placement {
    std::vector<Bytes> offset;  // per tensor
    Bytes end;                  // of the highest one
};

/// Sizes are multiples of `alignment`, and so are the offsets. Within each step tensors are placed in their order.
[[nodiscard]] Placement place_best_fit(std::span<const LiveTensor> tensors);
/// Bytes alive in the step with the most: no placement ends lower.
[[nodiscard]] Bytes live_peak(std::span<const LiveTensor> tensors);

/// What is wrong with a placement, in words; none: nothing. For tests and reports: quadratic, and by another way than the placer's.
[[nodiscard]] std::optional<std::string> placement_fault(std::span<const LiveTensor> tensors, const Placement& placement, Bytes limit,
                                                         std::int64_t alignment);

}  // namespace sluice::mcm
