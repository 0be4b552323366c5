#include "sluice/simulate/wires.hpp"

#include <format>

namespace sluice::simulate {

using platform::Topology;

Wires::Wires(const platform::Platform& platform, std::int64_t devices)
    : topology_(platform.topology), size_(devices), forward_only_(platform.chip_rules), link_(platform.stage_link) {
    if (topology_ == Topology::ring) size_ = std::max(devices, platform::device_count(platform));
    if (topology_ == Topology::hierarchy) {
        per_node_ = std::max<std::int64_t>(1, platform.devices_per_node);
        size_ = (devices + per_node_ - 1) / per_node_;
        link_ = platform.node_link.value_or(platform.stage_link);
    }
}

Wires::Route Wires::route(std::int64_t from, std::int64_t to) const {
    const auto made = [](std::int64_t hops, std::int64_t a, std::int64_t b, bool forward) {
        return Route{static_cast<std::uint32_t>(hops), static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), forward};
    };
    switch (topology_) {
        case Topology::uniform:
            break;
        case Topology::chain:
            return made(to > from ? to - from : from - to, from, to, to > from);
        case Topology::ring: {
            const std::int64_t ahead = to > from ? to - from : to - from + size_;
            const bool forward = forward_only_ || ahead <= size_ - ahead;
            return made(forward ? ahead : size_ - ahead, from, to, forward);
        }
        case Topology::hierarchy:
            return made(from / per_node_ == to / per_node_ ? 0 : 2, from / per_node_, to / per_node_, true);
    }
    return {};
}

LinkId Wires::link_of(const Route& route, std::uint32_t hop) const {
    const auto size = static_cast<std::size_t>(size_);
    if (topology_ == Topology::hierarchy) return LinkId(hop == 0 ? route.from : size + route.to);
    if (route.forward) return LinkId((route.from + std::size_t{hop}) % size);
    return LinkId(size + (route.from + size - 1 - hop) % size);
}

std::string Wires::name_of(LinkId link) const {
    const auto size = static_cast<std::size_t>(size_);
    const bool second = link.index() >= size;
    const std::size_t at = second ? link.index() - size : link.index();
    if (topology_ == Topology::hierarchy) return std::format("node {} {}", at, second ? "downlink" : "uplink");
    const std::size_t next = (at + 1) % size;
    return second ? std::format("{} -> {}", next, at) : std::format("{} -> {}", at, next);
}

}  // namespace sluice::simulate
