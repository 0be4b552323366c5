#include "sluice/mcm/judge/schedule.hpp"

#include <algorithm>
#include <numeric>

namespace sluice::mcm {

namespace {

constexpr std::size_t kLookedAt = 32;

/// Readers left per tensor.
std::vector<std::uint32_t> reader_counts(const KernelGraph& kernels) {
    std::vector<std::uint32_t> readers(kernels.size.size());
    for (std::size_t k = 0; k < kernels.reads.size(); ++k)
        for (const std::uint32_t tensor : kernels.reads[k]) ++readers[tensor];
    return readers;
}

std::int64_t peak_of(const KernelGraph& kernels, const std::vector<std::uint32_t>& order) {
    std::vector<std::uint32_t> readers = reader_counts(kernels);
    std::int64_t alive = 0, most = 0;
    for (const std::uint32_t k : order) {
        for (const std::uint32_t tensor : kernels.makes[k]) alive += kernels.size[tensor].count;
        most = std::max(most, alive + kernels.scratch[k].count);
        for (const std::uint32_t tensor : kernels.reads[k])
            if (--readers[tensor] == 0) alive -= kernels.size[tensor].count;
    }
    return most;
}

}  // namespace

std::vector<std::uint32_t> schedule(const KernelGraph& kernels) {
    const auto count = static_cast<std::uint32_t>(kernels.makes.size());
    std::vector<std::uint32_t> readers = reader_counts(kernels), waiting(count), order;
    std::vector<std::vector<std::uint32_t>> readers_of(kernels.size.size());
    for (std::uint32_t k = 0; k < count; ++k)
        for (const std::uint32_t tensor : kernels.reads[k])
            if (kernels.maker[tensor] != ~std::uint32_t{0}) {
                readers_of[tensor].push_back(k);
                ++waiting[k];
            }
    std::vector<std::uint32_t> ready;  // ascending
    for (std::uint32_t k = 0; k < count; ++k)
        if (waiting[k] == 0) ready.push_back(k);
    order.reserve(count);
    while (!ready.empty()) {
        std::size_t best = 0;
        std::int64_t least = 0;
        for (std::size_t i = 0; i < std::min(kLookedAt, ready.size()); ++i) {
            std::int64_t added = 0;
            for (const std::uint32_t tensor : kernels.makes[ready[i]]) added += kernels.size[tensor].count;
            for (const std::uint32_t tensor : kernels.reads[ready[i]])
                if (readers[tensor] == 1) added -= kernels.size[tensor].count;
            if (i == 0 || added < least) {
                least = added;
                best = i;
            }
        }
        const std::uint32_t k = ready[best];
        ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(best));
        order.push_back(k);
        for (const std::uint32_t tensor : kernels.reads[k]) --readers[tensor];
        for (const std::uint32_t tensor : kernels.makes[k])
            for (const std::uint32_t reader : readers_of[tensor])
                if (--waiting[reader] == 0) ready.insert(std::ranges::lower_bound(ready, reader), reader);
    }
    std::vector<std::uint32_t> plain(count);
    std::iota(plain.begin(), plain.end(), 0U);
    return peak_of(kernels, plain) < peak_of(kernels, order) ? plain : order;
}

}  // namespace sluice::mcm
