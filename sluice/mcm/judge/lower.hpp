// Compiled chips -> the program of the ring (simulate/ring.hpp): kernels between which nothing happens outside become one segment, each
// tensor that crosses borders becomes a message, or one a chip where chips hand on.
#pragma once

#include <span>
#include <vector>

#include "sluice/mcm/judge/compile.hpp"
#include "sluice/simulate/ring.hpp"

namespace sluice::mcm {

/// Where a tensor goes.
struct Route {
    EdgeId edge;
    std::uint32_t from = 0, to = 0;  // chips; equal: to the host only
    bool from_host = false;          // then `to` is one of the chips that read it
    std::uint64_t readers = 0;       // chips with operators that read it, without the one that makes it
    std::int64_t more_buffers = 0;   // than usual, at each chip on the way
};

/// A tensor whose reader lies before its maker: it cannot get there.
struct Backwards {
    EdgeId edge;
    std::size_t from = 0, to = 0;
};

class Routes {
public:
    Routes(const ChipProblem& problem, const ChipCompiler& compiler) : problem_(problem), compiler_(compiler) {}
    /// False: some tensor would have to move backwards. O(edges and their readers).
    /// A tensor that waits on its way while others of its input take a longer one needs a buffer more for every chip that theirs has more,
    /// or two inputs would be all that is ever under way: "slack matching". Not under relays, where every chip on the way has buffers.
    [[nodiscard]] bool find(std::span<const std::uint8_t> assignment);

    [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }
    /// Per chip, ascending: what goes on from there on its way; without relays what is read there is not in it: the same buffers serve.
    [[nodiscard]] const std::vector<EdgeId>& passing(std::size_t chip) const { return passing_[chip]; }
    /// Per chip: tensors that it has more buffers for than usual, ascending edges.
    [[nodiscard]] const std::vector<MoreBuffers>& more_buffers(std::size_t chip) const { return more_buffers_[chip]; }
    [[nodiscard]] const Backwards& backwards() const { return backwards_; }

private:
    void match_slack();

    const ChipProblem& problem_;
    const ChipCompiler& compiler_;
    std::vector<Route> routes_;
    std::vector<std::vector<EdgeId>> passing_;
    std::vector<std::vector<MoreBuffers>> more_buffers_;
    Backwards backwards_;
};

/// The program, and what its messages and segments are, for reports.
struct LoweredRing {
    simulate::RingProgram program;
    std::vector<EdgeId> edge_of;                                      // per message
    std::vector<std::pair<std::uint32_t, std::uint32_t>> kernels_of;  // per segment: [first, last) of its chip's kernels
};

/// `message_overhead`: on top of each transfer, at the sender, on each link and at each reader. `codes`: per chip of the problem; null:
/// empty.
[[nodiscard]] LoweredRing lower(const ChipProblem& problem, const ChipCompiler& compiler, std::span<const Route> routes,
                                std::span<const ChipCode* const> codes, Duration message_overhead);

}  // namespace sluice::mcm
