#include "sluice/bound/check_terms.hpp"

#include <algorithm>
#include <limits>

namespace sluice::bound {

using cost::Overflow;

std::int64_t devices_of(const cost::StageProblem& problem, std::int64_t stages) {
    CheckedWide sum = 0;
    for (const auto& device : problem.classes) sum += std::max<std::int64_t>(device.count, 0);
    return static_cast<std::int64_t>(std::min<CheckedWide>(sum, stages));
}

std::optional<std::int64_t> least_work(const cost::StageProblem& problem, std::size_t node) {
    std::optional<std::int64_t> least;
    for (const auto& device : problem.classes)
        if (device.count > 0 && device.supported.contains(node))
            least = std::min(device.work[node].count(), least.value_or(std::numeric_limits<std::int64_t>::max()));
    return least;
}

std::optional<SpillFloor> spill_floor(const cost::StageProblem& problem) {
    SpillFloor floor;
    bool any = false;
    for (const auto& device : problem.classes) {
        if (device.count <= 0) continue;
        if (device.overflow == Overflow::unlimited) return std::nullopt;
        floor.memory = std::max<CheckedWide>(floor.memory, device.fast_memory.count);
        if (device.overflow != Overflow::spill) continue;
        any = true;
        floor.rate = std::max<CheckedWide>(floor.rate, device.spill_rate.bytes_per_second);
    }
    return any ? std::optional(floor) : std::nullopt;
}

}  // namespace sluice::bound
