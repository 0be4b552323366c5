// One walk of local search on a partition (notes/inference 7.6): nodes, convex groups and exchanges move across stage borders, aimed at the
// bottleneck half of the time; a move is accepted by the change of sum over stages of (time / T)^32, T the bottleneck at the start, at a
// heat that falls to nothing (simulated annealing). All in fixed-point integers: the same on every machine. A proposal is a move priced;
// O(degree x fan-out) each. Deterministic in the random stream unless a deadline or a stop cuts it short.
#pragma once

#include <optional>
#include <span>

#include "sluice/base/random.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/inference/orders.hpp"
#include "sluice/inference/stage_moves.hpp"
#include "sluice/search/slice.hpp"

namespace sluice::inference {

struct WalkOptions {
    std::int64_t devices = 1;    // that may be used together
    std::int64_t proposals = 0;  // moves to price
    int coolness = 4;            // the first heat is 2^-coolness of a stage at the bottleneck
};

struct Walked {
    cost::Partition partition;  // the best met, the start where none was better
    Duration bottleneck{0};
    std::int64_t proposals = 0;
    std::vector<std::uint32_t> last =
        {};  // where it ended: the stage of each node, never falling along an edge; empty where it had no begin
};

/// Memory of one thread.
class Walker {
public:
    explicit Walker(const cost::StageProblem& problem);

    [[nodiscard]] Walked walk(const cost::Partition& start, const WalkOptions& options, RandomStream& random, const Limits& limits);

    /// So many moves, whatever they cost.
    [[nodiscard]] cost::Partition kick(const cost::Partition& start, std::int64_t devices, std::size_t moves, RandomStream& random);

    /// Slices `base` sorted by the keys of the nodes, equal keys left as they are. Keys must not fall along any edge.
    [[nodiscard]] std::optional<cost::Partition> slice_by(std::span<const NodeId> base, std::span<const std::uint32_t> keys,
                                                          const search::SliceOptions& slicing);

private:
    bool propose(RandomStream& random);
    bool propose_one(NodeId node, bool up, RandomStream& random);
    bool propose_group(NodeId node, bool up, RandomStream& random);
    void propose_return(NodeId moved, std::size_t stage, std::size_t to, RandomStream& random);
    [[nodiscard]] std::int64_t energy_of(std::int64_t time) const;

    const cost::StageProblem* problem_;
    StageMoves moves_;
    search::Slicer slicer_;
    bool hard_ = false;
    // Of the walk
    std::int64_t scale_ = 1;  // T
    std::vector<std::int64_t> time_, energy_;
    std::size_t hottest_ = 0;
    std::vector<NodeId> group_;
    std::vector<std::uint32_t> best_, seen_;  // seen_: per node, the group it was last in
    std::uint32_t group_number_ = 0;
    Order order_, sorted_;
    std::vector<std::uint32_t> starts_;
};

}  // namespace sluice::inference
