#include <cassert>
#include <limits>

#include "sluice/platform/platform.hpp"

namespace sluice::platform {

std::int64_t device_count(const Platform& platform) {
    std::int64_t count = 0;
    for (const DeviceClass& device : platform.classes)
        count = checked_add(count, device.count).value_or(std::numeric_limits<std::int64_t>::max());
    return count;
}

Platform given_platform(const graph::Graph& graph) {
    assert(graph.given_costs());
    const graph::GivenCosts& given = *graph.given_costs();
    Platform platform;
    platform.name = "given";
    for (const graph::GivenCosts::DeviceClass& device : given.classes) {
        DeviceClass& copy = platform.classes.emplace_back();
        copy.name = device.name;
        copy.count = device.count;
        copy.overflow = device.memory ? Overflow::hard : Overflow::unlimited;
        copy.fast_memory = device.memory.value_or(Bytes{});
    }
    // A graph without tensors has neither transfers nor a need for a link.
    platform.given_transfers = !given.transfer.empty() || !given.link;
    if (given.link) platform.stage_link.rate = *given.link;
    platform.assumptions = "Devices, times and memory are those of the workload file";
    platform.assumptions += platform.given_transfers ? ", transfers too." : "; transfers at its bandwidth.";
    return platform;
}

}  // namespace sluice::platform
