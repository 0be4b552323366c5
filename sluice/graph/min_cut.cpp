#include "sluice/graph/min_cut.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::graph {

void FlowNetwork::reset(std::size_t vertices) {
    vertices_ = vertices;
    tails_.clear();
    heads_.clear();
    capacities_.clear();
    forward_.clear();
    laid_out_ = false;
}

FlowNetwork::Vertex FlowNetwork::add_vertex() {
    laid_out_ = false;
    return static_cast<Vertex>(vertices_++);
}

FlowNetwork::Arc FlowNetwork::add_arc(Vertex from, Vertex to, std::int64_t capacity) {
    assert(from < vertices_ && to < vertices_);
    assert(capacity >= 0 && capacity <= kInfiniteCapacity);
    laid_out_ = false;
    tails_.push_back(from);
    heads_.push_back(to);
    capacities_.push_back(capacity);
    return static_cast<Arc>(capacities_.size() - 1);
}

void FlowNetwork::set_capacity(Arc arc, std::int64_t capacity) {
    assert(capacity >= 0 && capacity <= kInfiniteCapacity);
    capacities_[arc] = capacity;
    if (arc >= forward_.size()) return;
    half_arcs_[forward_[arc]].residual = capacity;  // an arc that carried flow is still in carrying_, which settles its twin
}

// Counting sort of half-arcs by tail; in a row they keep the order of addition.
void FlowNetwork::lay_out() {
    const std::size_t arcs = capacities_.size();
    starts_.assign(vertices_ + 1, 0);
    for (Vertex v : tails_) ++starts_[v + 1];
    for (Vertex v : heads_) ++starts_[v + 1];
    for (std::size_t v = 0; v < vertices_; ++v) starts_[v + 1] += starts_[v];
    current_.assign(starts_.begin(), starts_.end() - 1);
    half_arcs_.resize(2 * arcs);
    arc_of_.resize(2 * arcs);
    forward_.resize(arcs);
    for (Arc arc = 0; arc < arcs; ++arc) {
        const std::uint32_t out = current_[tails_[arc]]++;
        const std::uint32_t back = current_[heads_[arc]]++;
        half_arcs_[out] = {heads_[arc], back, capacities_[arc]};
        half_arcs_[back] = {tails_[arc], out, 0};
        arc_of_[out] = arc_of_[back] = arc;
        forward_[arc] = out;
    }
    level_.assign(vertices_, -1);
    side_.assign(vertices_, 0);
    queue_.clear();
    carrying_.clear();
    laid_out_ = true;
}

void FlowNetwork::forget_flow() {
    for (std::uint32_t half : carrying_) {
        const Arc arc = arc_of_[half];
        HalfArc& out = half_arcs_[forward_[arc]];
        out.residual = capacities_[arc];
        half_arcs_[out.twin].residual = 0;
    }
    carrying_.clear();
    for (Vertex v : queue_) {
        level_[v] = -1;
        side_[v] = 0;
    }
    queue_.clear();
}

// Breadth-first levels over residual arcs, up to the sink: vertices beyond its level can be on no shortest path.
bool FlowNetwork::layer(Vertex source, Vertex sink) {
    for (Vertex v : queue_) level_[v] = -1;
    queue_.clear();
    queue_.push_back(source);
    level_[source] = 0;
    current_[source] = starts_[source];
    for (std::size_t next = 0; next < queue_.size(); ++next) {
        const Vertex v = queue_[next];
        for (std::uint32_t half = starts_[v]; half < starts_[v + 1]; ++half) {
            const Vertex to = half_arcs_[half].to;
            if (level_[to] >= 0 || half_arcs_[half].residual == 0) continue;
            level_[to] = level_[v] + 1;
            current_[to] = starts_[to];
            queue_.push_back(to);
            if (to == sink) return true;
        }
    }
    return false;
}

// Sends what the path holds and cuts the path back to before its first full half-arc.
std::int64_t FlowNetwork::augment() {
    std::int64_t amount = std::numeric_limits<std::int64_t>::max();
    std::size_t keep = 0;
    for (std::size_t i = 0; i < path_.size(); ++i)
        if (half_arcs_[path_[i]].residual < amount) {
            amount = half_arcs_[path_[i]].residual;
            keep = i;
        }
    for (std::uint32_t half : path_) {
        HalfArc& arc = half_arcs_[half];
        HalfArc& twin = half_arcs_[arc.twin];
        // Half-arcs that gain flow for the first time are remembered, so that resetting costs what was used.
        if (half == forward_[arc_of_[half]] && twin.residual == 0) carrying_.push_back(half);
        arc.residual -= amount;
        twin.residual += amount;
    }
    path_.resize(keep);
    return amount;
}

std::int64_t FlowNetwork::push_blocking_flow(Vertex source, Vertex sink, std::int64_t enough) {
    std::int64_t total = 0;
    path_.clear();
    Vertex v = source;
    while (true) {
        if (v == sink) {
            total += augment();
            if (total >= enough) return total;
            v = path_.empty() ? source : half_arcs_[path_.back()].to;
            continue;
        }
        std::uint32_t& half = current_[v];
        while (half < starts_[v + 1] && (half_arcs_[half].residual == 0 || level_[half_arcs_[half].to] != level_[v] + 1)) ++half;
        if (half < starts_[v + 1]) {
            path_.push_back(half);
            v = half_arcs_[half].to;
        } else if (path_.empty()) {
            return total;
        } else {
            level_[v] = -2;  // a dead end; still in queue_, which clears it
            v = half_arcs_[half_arcs_[path_.back()].twin].to;
            path_.pop_back();
        }
    }
}

std::int64_t FlowNetwork::maximum_flow(Vertex source, Vertex sink, std::int64_t enough) {
    assert(source < vertices_ && sink < vertices_ && source != sink);
    if (laid_out_)
        forget_flow();
    else
        lay_out();
    // A value of kInfiniteCapacity says that no finite cut exists; to go on could only overflow.
    enough = std::min(enough, kInfiniteCapacity);
    std::int64_t value = 0;
    while (value < enough) {
        if (!layer(source, sink)) {
            for (Vertex v : queue_) side_[v] = 1;
            break;
        }
        value += push_blocking_flow(source, sink, enough - value);
    }
    return value;
}

}  // namespace sluice::graph
