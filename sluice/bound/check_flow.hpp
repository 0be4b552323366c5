// The checkers' own flow: a lower bound on a minimum cut. Any flow is at most any cut, so a checker that uses a flow's value where a larger
// minimum cut only strengthens a claim needs nothing of the algorithm: after it ran, every arc is held against its capacity and every
// vertex against what enters and leaves, and only then the value counts. A wrong algorithm can make a check fail, never pass. Shortest
// augmenting paths (Dinic); O(V^2 E), near-linear here. Deterministic.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace sluice::bound {

class CheckedFlow {
public:
    using Vertex = std::uint32_t;
    /// Of an arc that no finite cut holds.
    static constexpr std::int64_t kUnlimited = std::int64_t{1} << 61;

    /// Empties the network.
    void reset(std::size_t vertices);
    Vertex add_vertex();
    /// Needs 0 <= capacity <= kUnlimited.
    void add_arc(Vertex from, Vertex to, std::int64_t capacity);

    /// No cut between the two is below this. 0 when the flow found is not one. Stops at `enough`. Adds to the flow of earlier calls, whose
    /// value counts too, when the source and the sink are theirs.
    [[nodiscard]] std::int64_t at_least(Vertex source, Vertex sink, std::int64_t enough = kUnlimited);

private:
    struct Arc {
        Vertex to;
        std::uint32_t next;  // of the same tail; kNone: the last
        std::int64_t capacity, flow;
    };
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    [[nodiscard]] bool layer(Vertex source, Vertex sink);
    void augment(Vertex source, Vertex sink);
    [[nodiscard]] std::int64_t verified(Vertex source, Vertex sink);

    std::vector<Arc> arcs_;  // 2i and 2i + 1: an arc and its reverse
    std::vector<std::uint32_t> first_, current_;
    std::vector<std::int32_t> level_;
    std::vector<Vertex> queue_;
    std::vector<std::uint32_t> path_;
    std::vector<std::int64_t> balance_;
};

}  // namespace sluice::bound
