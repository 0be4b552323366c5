#include "sluice/bound/relaxation.hpp"

#include <algorithm>
#include <limits>

namespace sluice::bound {

Relaxation relax(const cost::StageProblem& problem, std::int64_t stages, std::int64_t max_replicas) {
    constexpr std::int64_t kNoClass = std::numeric_limits<std::int64_t>::max();
    Relaxation relaxation;
    relaxation.work.assign(problem.node_count(), kNoClass);
    bool unlimited = false;
    Wide devices = 0;
    for (const auto& device : problem.classes) {
        if (device.count < 1) continue;
        devices += device.count;
        device.supported.for_each([&](std::size_t v) { relaxation.work[v] = std::min(relaxation.work[v], device.work[v].count()); });
        unlimited = unlimited || device.overflow == cost::Overflow::unlimited;
        relaxation.memory = std::max(relaxation.memory, device.fast_memory);
        if (device.overflow != cost::Overflow::spill) continue;  // a hard class never holds more than its memory: it has no say in the rate
        relaxation.rate = relaxation.spills ? std::max(relaxation.rate, device.spill_rate) : device.spill_rate;
        relaxation.spills = true;
    }
    relaxation.spills = relaxation.spills && !unlimited;
    std::ranges::replace(relaxation.work, kNoClass, std::int64_t{0});
    relaxation.devices = static_cast<std::int64_t>(std::min<Wide>(devices, stages));
    relaxation.replicas = std::min(max_replicas, relaxation.devices);
    return relaxation;
}

}  // namespace sluice::bound
