// Exact minimum s-t cut in int64 on a directed network, for cuts of a few to a few hundred thousand arcs.
// Decides: the maximum flow, a flow on every arc (a certificate: its value bounds every cut from below) and the smallest source side.
// Source: Dinic 1970 with current-arc pointers; O(V^2 E), near-linear on the shallow networks met here. Deterministic.
// A search grows from the source and stops at the sink's level, and only what it touched is reset: one of n solves on a large network
// costs what it looks at, not V + E. Arcs are kept in compressed rows, laid out again at the first solve after the structure changed.
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
    [[nodiscard]] std::size_t vertex_count() const { return vertices_; }
    [[nodiscard]] std::size_t arc_count() const { return capacities_.size(); }
    [[nodiscard]] Vertex from(Arc arc) const { return tails_[arc]; }
    [[nodiscard]] Vertex to(Arc arc) const { return heads_[arc]; }
    [[nodiscard]] std::int64_t capacity(Arc arc) const { return capacities_[arc]; }

    /// Value of a maximum flow; stops early once it reaches `enough` (the flow is then feasible, not maximum).
    /// A value of at least kInfiniteCapacity means that no finite cut exists, provided that the finite capacities sum to less than that.
    /// Starts from a zero flow each time. Needs source != sink.
    std::int64_t maximum_flow(Vertex source, Vertex sink, std::int64_t enough = std::numeric_limits<std::int64_t>::max());
    /// Flow of the last call, 0 <= flow <= capacity; 0 on an arc added, or set to another capacity, since.
    [[nodiscard]] std::int64_t flow(Arc arc) const {
        return arc < forward_.size() ? capacities_[arc] - half_arcs_[forward_[arc]].residual : 0;
    }
    /// After a maximum flow: the vertices on the source side of the smallest minimum cut. All zero after an early stop.
    [[nodiscard]] std::span<const char> source_side() const { return side_; }

private:
    struct HalfArc {
        Vertex to;
        std::uint32_t twin;  // the same arc in the other direction
        std::int64_t residual;
    };
    void lay_out();
    void forget_flow();
    bool layer(Vertex source, Vertex sink);
    std::int64_t push_blocking_flow(Vertex source, Vertex sink, std::int64_t enough);
    std::int64_t augment();

    std::size_t vertices_ = 0;
    std::vector<Vertex> tails_, heads_;  // per arc
    std::vector<std::int64_t> capacities_;
    // Compressed rows of half-arcs, two an arc, valid while laid_out_.
    bool laid_out_ = false;
    std::vector<std::uint32_t> starts_;  // per vertex, and the end
    std::vector<HalfArc> half_arcs_;
    std::vector<std::uint32_t> forward_;  // per arc: its half-arc out of its tail
    std::vector<Arc> arc_of_;             // per half-arc
    // The last solve, and what it touched.
    std::vector<std::uint32_t> current_;   // per vertex: the half-arc to try next
    std::vector<std::int32_t> level_;      // per vertex: arcs from the source, -1 unseen or a dead end
    std::vector<Vertex> queue_;            // vertices with a level
    std::vector<std::uint32_t> path_;      // half-arcs from the source on
    std::vector<std::uint32_t> carrying_;  // half-arcs whose flow left zero
    std::vector<char> side_;
};

}  // namespace sluice::graph
