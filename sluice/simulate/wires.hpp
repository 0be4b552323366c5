// Private to this layer. Which links a message between two devices takes (platform topology), and their names.
//   uniform    every pair of devices has a wire of its own: none is shared, so there is nothing to simulate
//   chain      a link between neighbours in each direction
//   ring       the same, closed; the shorter way, forward when both are equal; only forward on a platform with chip rules (design §3.2)
//   hierarchy  as uniform inside a node; between nodes the uplink of one and the downlink of the other, shared by the node's devices
// Devices are those of the program in its order; a ring has all chips of the platform.
#pragma once

#include <cstdint>
#include <string>

#include "sluice/platform/platform.hpp"
#include "sluice/simulate/engine.hpp"

namespace sluice::simulate {

class Wires {
public:
    Wires(const platform::Platform& platform, std::int64_t devices);

    struct Route {
        std::uint32_t hops = 0;
        std::uint32_t from = 0, to = 0;
        bool forward = true;
    };
    [[nodiscard]] std::size_t link_count() const {
        return topology_ == platform::Topology::uniform ? 0 : 2 * static_cast<std::size_t>(size_);
    }
    [[nodiscard]] Route route(std::int64_t from, std::int64_t to) const;
    [[nodiscard]] LinkId link_of(const Route& route, std::uint32_t hop) const;
    [[nodiscard]] std::string name_of(LinkId link) const;
    /// What the links of a route are made of.
    [[nodiscard]] const platform::Link& link() const { return link_; }

private:
    platform::Topology topology_;
    std::int64_t size_ = 0;  // devices (chain, ring) or nodes
    std::int64_t per_node_ = 1;
    bool forward_only_ = false;
    platform::Link link_;
};

}  // namespace sluice::simulate
