// Private to this layer. Sets of nodes that must not all lie on one chip, while nodes are placed and unplaced: which of them just came down
// to one member. Each failed compile gives one; they are often as large as half of the graph, and there may be thousands.
//
// Two members of each are watched, as literals of a clause are in Chaff (Moskewicz et al., DAC 2001): as long as two are open, those
// watched are open. A placed one passes the watch on to an open member; there is no need to where members lie on different chips, since
// what was placed last is unplaced first: the watch is open again before the set can be in danger. So unplacing needs nothing done here.
// Where one watched member stayed placed, the set was apart, or the other was the last one and is now on another chip: it is apart.
//
// place(): O(members) at worst for each set that watches the node, mostly O(1); no other set costs anything.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/ids.hpp"

namespace sluice::mcm {

class Nogoods {
public:
    static constexpr std::uint8_t kOpen = 255;

    explicit Nogoods(std::size_t nodes) : watching_(nodes) {}

    /// Two or more, none twice. While no node is placed.
    void add(std::span<const NodeId> members);

    struct Last {
        std::uint32_t nogood;
        NodeId node;
    };
    /// The sets of which all members now lie on the node's chip but one, which is open: it must not be placed there. In the order in which
    /// they were added; until the next call. To be called for each node that is placed; `chips`: per node, kOpen where it is not placed,
    /// this node's included. Nodes are unplaced last first. One that is unplaced before another is placed need not be told of.
    [[nodiscard]] std::span<const Last> place(NodeId node, std::span<const std::uint8_t> chips);

private:
    struct Nogood {
        std::size_t first;  // of its members
        std::uint32_t count;
        std::uint32_t next;  // where to look for a member to watch
        NodeId watched[2];
    };
    NodeId elsewhere(Nogood& nogood, NodeId other, std::uint8_t chip, std::span<const std::uint8_t> chips) const;

    std::vector<Nogood> nogoods_;
    std::vector<NodeId> members_;
    std::vector<std::vector<std::uint32_t>> watching_;  // per node
    std::vector<Last> last_;
};

}  // namespace sluice::mcm
