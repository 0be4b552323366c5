#include <cmath>
#include <format>
#include <set>

#include "sluice/platform/platform.hpp"

namespace sluice::platform {

namespace {

using sluice::to_text;  // Duration is no type of ours: its overload is not found from here otherwise

constexpr std::int64_t kMostDevices = 1'000'000;
constexpr double kFastestRate = 1e24;  // operations a second: far beyond any machine, far within a double
constexpr double kMostRows = 1e9;
constexpr Duration kLongestLatency{std::int64_t{1'000'000'000'000} * 3600};  // an hour
constexpr Bytes kMostMemory{std::int64_t{1} << 60};

std::unexpected<Diagnostic> refuse(std::string message) { return fail(input_error(std::move(message))); }

Result<void> check_latency(Duration latency, std::string_view what) {
    if (latency >= Duration{0} && latency <= kLongestLatency) return {};
    return refuse(std::format("{} is {}; it must be between 0 and an hour", what, to_text(latency)));
}

Result<void> check_link(const Link& link, std::string_view name) {
    if (link.rate.bytes_per_second <= 0)
        return refuse(std::format("the {} has the rate {} B/s; it must be positive", name, link.rate.bytes_per_second));
    return check_latency(link.latency, std::format("the latency of the {}", name));
}

Result<void> check_class(const DeviceClass& device) {
    const auto named = [&](std::string text) { return std::format("device class '{}': {}", device.name, text); };
    if (device.name.empty()) return refuse("a device class has no name");
    if (device.count < 1 || device.count > kMostDevices)
        return refuse(named(std::format("{} devices; there must be between 1 and {}", device.count, kMostDevices)));
    bool computes = false;
    for (std::size_t type = 0; type < graph::kDataTypes; ++type) {
        const double rate = device.flops_per_second[type];
        if (!(rate >= 0 && rate <= kFastestRate))
            return refuse(named(std::format("{:g} operations a second in {}; there must be between 0 and {:g}", rate,
                                            to_text(static_cast<graph::DataType>(type)), kFastestRate)));
        computes = computes || rate > 0;
    }
    if (!(device.vector_elements_per_second >= 0 && device.vector_elements_per_second <= kFastestRate))
        return refuse(named(
            std::format("{:g} elements a second; there must be between 0 and {:g}", device.vector_elements_per_second, kFastestRate)));
    for (std::size_t c = 0; c < graph::kOperatorClasses; ++c)
        if (!(device.efficiency[c] > 1e-9 && device.efficiency[c] <= 1))
            return refuse(named(std::format("efficiency {:g} of {}; it must be above 0 and at most 1", device.efficiency[c],
                                            to_text(static_cast<graph::OperatorClass>(c)))));
    if (!(device.half_rows >= 0 && device.half_rows <= kMostRows))
        return refuse(named(std::format("half_rows {:g}; it must be between 0 and {:g}", device.half_rows, kMostRows)));
    if (auto launch = check_latency(device.launch, named("launch")); !launch) return launch;
    if (device.fast_memory < Bytes{} || device.fast_memory > kMostMemory)
        return refuse(named(std::format("memory of {} B; there must be between 0 and {} B", device.fast_memory.count, kMostMemory.count)));
    // A workload's own class has given times and no rates.
    if (device.memory_rate.bytes_per_second < 0 || (computes && device.memory_rate.bytes_per_second == 0))
        return refuse(named(std::format("memory rate of {} B/s; it must be positive", device.memory_rate.bytes_per_second)));
    if (device.spill_rate && device.spill_rate->bytes_per_second <= 0)
        return refuse(named(std::format("spill rate of {} B/s; it must be positive", device.spill_rate->bytes_per_second)));
    if (device.spill_rate && device.overflow != Overflow::spill)
        return refuse(named(std::format("a spill rate, but the overflow rule is '{}'", to_text(device.overflow))));
    return {};
}

}  // namespace

Result<void> check(const Platform& platform) {
    if (platform.classes.empty()) return refuse("the platform has no device class");
    std::set<std::string_view> names;
    for (const DeviceClass& device : platform.classes) {
        if (auto sound = check_class(device); !sound) return sound;
        if (!names.insert(device.name).second) return refuse(std::format("two device classes have the name '{}'", device.name));
        if (device.overflow == Overflow::spill && !device.spill_rate && platform.stage_link.rate.bytes_per_second <= 0)
            return refuse(std::format("device class '{}' spills over the stage link, which has no rate", device.name));
    }
    if (!platform.given_transfers || platform.stage_link != Link{})
        if (auto sound = check_link(platform.stage_link, "stage link"); !sound) return sound;
    if (platform.host_link)
        if (auto sound = check_link(*platform.host_link, "host link"); !sound) return sound;
    const bool hierarchy = platform.topology == Topology::hierarchy;
    if (hierarchy != platform.node_link.has_value() || hierarchy != (platform.devices_per_node != 0))
        return refuse(std::format("devices_per_node and a node link belong to the topology 'hierarchy' and only to it; this one is '{}'",
                                  to_text(platform.topology)));
    if (hierarchy && (platform.devices_per_node < 1 || platform.devices_per_node > kMostDevices))
        return refuse(std::format("{} devices a node; there must be between 1 and {}", platform.devices_per_node, kMostDevices));
    if (platform.node_link)
        if (auto sound = check_link(*platform.node_link, "node link"); !sound) return sound;
    using enum graph::DataType;
    if (platform.tensor_type == boolean || platform.tensor_type == text || platform.tensor_type == other)
        return refuse(std::format("tensors cannot be counted as '{}': it is no number", to_text(*platform.tensor_type)));
    if (platform.chip_rules && platform.topology != Topology::ring)
        return refuse(std::format("chip rules need the topology 'ring'; this one is '{}'", to_text(platform.topology)));
    return {};
}

}  // namespace sluice::platform
