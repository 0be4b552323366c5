// Exact minimum s-t cut in int64 on a directed network, for cuts of a few to a few hundred thousand arcs.
// Decides: the maximum flow, a flow on every arc (a certificate: its value bounds every cut from below) and the smallest source side.
// Source: Dinic 1970 with current-arc pointers; O(V^2 E), near-linear on the shallow networks met here. Deterministic.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace sluice::graph {

/// An arc of this capacity is never cut.
inline constexpr std::int64_t kInfiniteCapacity = std::int64_t{1} << 61;

/// A network that is solved again and again with small changes (other terminals, other capacities) without new memory.
class FlowNetwork {
public:
    using Vertex = std::uint32_t;
    using Arc = std::uint32_t;

    explicit FlowNetwork(std::size_t vertices = 0) { reset(vertices); }
    void reset(std::size_t vertices);
    Vertex add_vertex();
    /// Needs 0 <= capacity <= kInfiniteCapacity. Arcs are numbered 0, 1, 2 … in the order they are added.
    Arc add_arc(Vertex from, Vertex to, std::int64_t capacity);
    void set_capacity(Arc arc, std::int64_t capacity);
    [[nodiscard]] std::size_t vertex_count() const { return heads_.size(); }
    [[nodiscard]] std::size_t arc_count() const { return arcs_.size() / 2; }
    [[nodiscard]] Vertex from(Arc arc) const { return arcs_[2 * arc + 1].to; }
    [[nodiscard]] Vertex to(Arc arc) const { return arcs_[2 * arc].to; }
    [[nodiscard]] std::int64_t capacity(Arc arc) const { return capacities_[arc]; }

    /// Value of a maximum flow; stops early once it reaches `enough` (the flow is then feasible, not maximum).
    /// A value of at least kInfiniteCapacity means that no finite cut exists. Starts from a zero flow each time.
    std::int64_t maximum_flow(Vertex source, Vertex sink, std::int64_t enough = std::numeric_limits<std::int64_t>::max());
    /// Flow of the last call, 0 <= flow <= capacity.
    [[nodiscard]] std::int64_t flow(Arc arc) const { return capacities_[arc] - arcs_[2 * arc].residual; }
    /// After a maximum flow: the vertices on the source side of the smallest minimum cut.
    [[nodiscard]] std::span<const char> source_side() const { return side_; }

private:
    struct HalfArc {
        Vertex to;
        std::uint32_t next;       // next half-arc out of the same vertex
        std::int64_t residual;
    };
    bool layer(Vertex source, Vertex sink);
    static constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();
    std::vector<HalfArc> arcs_;           // 2a: the arc, 2a+1: its reverse
    std::vector<std::int64_t> capacities_;
    std::vector<std::uint32_t> heads_, current_;
    std::vector<std::int32_t> level_;
    std::vector<Vertex> queue_;
    std::vector<std::uint32_t> path_;
    std::vector<char> side_;
};

}  // namespace sluice::graph
