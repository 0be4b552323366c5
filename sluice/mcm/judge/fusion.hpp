// What one chip does, as its compiler sees it: its operators, the tensors they make, read and exchange, and which operators run as one
// kernel.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/base/units.hpp"

namespace sluice::mcm {

inline constexpr std::uint32_t kNowhere = ~std::uint32_t{0};

struct ChipTensor {
    EdgeId edge;
    std::uint32_t maker = kNowhere;  // operator of the chip; nowhere: received, or a model input
    bool sent = false;               // to another chip or the host
};

/// Operators by their place in topological order.
struct ChipGraph {
    std::vector<ChipTensor> tensors;
    Rows<std::uint32_t> reads;    // per operator: distinct tensors. A view that is nobody's tensor is read as what it is a view of
    std::vector<char> joins;      // per operator: may run in the kernel of what makes one of its inputs
    std::vector<char> no_kernel;  // per operator: a view that nothing has to be done for
};

/// Per operator its kernel, nowhere where it has none; kernels are numbered so that each reads only what kernels of lower number make.
/// An operator that may joins the kernel of the highest number among those that make its inputs: all others come before that one, so
/// kernels form no cycle. No kernel has more than `most` operators. Linear.
struct Fusion {
    std::vector<std::uint32_t> kernel_of;
    std::uint32_t kernels = 0;
};
[[nodiscard]] Fusion fuse(const ChipGraph& chip, std::size_t most);

}  // namespace sluice::mcm
