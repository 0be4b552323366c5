#include "sluice/mcm/judge/fusion.hpp"

#include <algorithm>

namespace sluice::mcm {

Fusion fuse(const ChipGraph& chip, std::size_t most) {
    Fusion fusion;
    fusion.kernel_of.assign(chip.joins.size(), kNowhere);
    std::vector<std::size_t> sizes;
    for (std::size_t v = 0; v < chip.joins.size(); ++v) {
        if (chip.no_kernel[v]) continue;
        std::uint32_t kernel = kNowhere;
        if (chip.joins[v])
            for (const std::uint32_t tensor : chip.reads[v])
                if (const std::uint32_t maker = chip.tensors[tensor].maker; maker != kNowhere)
                    kernel = kernel == kNowhere ? fusion.kernel_of[maker] : std::max(kernel, fusion.kernel_of[maker]);
        if (kernel == kNowhere || sizes[kernel] >= most) {
            kernel = fusion.kernels++;
            sizes.push_back(0);
        }
        fusion.kernel_of[v] = kernel;
        ++sizes[kernel];
    }
    return fusion;
}

}  // namespace sluice::mcm
