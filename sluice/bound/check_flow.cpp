#include "sluice/bound/check_flow.hpp"

#include <algorithm>

namespace sluice::bound {

void CheckedFlow::reset(std::size_t vertices) {
    arcs_.clear();
    first_.assign(vertices, kNone);
}

CheckedFlow::Vertex CheckedFlow::add_vertex() {
    first_.push_back(kNone);
    return static_cast<Vertex>(first_.size() - 1);
}

void CheckedFlow::add_arc(Vertex from, Vertex to, std::int64_t capacity) {
    const auto arc = static_cast<std::uint32_t>(arcs_.size());
    arcs_.push_back({to, first_[from], capacity, 0});
    first_[from] = arc;
    arcs_.push_back({from, first_[to], 0, 0});
    first_[to] = arc + 1;
}

bool CheckedFlow::layer(Vertex source, Vertex sink) {
    level_.assign(first_.size(), -1);
    queue_.assign(1, source);
    level_[source] = 0;
    for (std::size_t next = 0; next < queue_.size() && level_[sink] < 0; ++next)
        for (std::uint32_t arc = first_[queue_[next]]; arc != kNone; arc = arcs_[arc].next)
            if (level_[arcs_[arc].to] < 0 && arcs_[arc].flow < arcs_[arc].capacity) {
                level_[arcs_[arc].to] = level_[queue_[next]] + 1;
                queue_.push_back(arcs_[arc].to);
            }
    return level_[sink] >= 0;
}

void CheckedFlow::augment(Vertex source, Vertex sink) {
    current_ = first_;
    path_.clear();
    for (Vertex v = source;;) {
        if (v == sink) {
            std::int64_t amount = std::numeric_limits<std::int64_t>::max();
            for (std::uint32_t arc : path_) amount = std::min(amount, arcs_[arc].capacity - arcs_[arc].flow);
            for (std::uint32_t arc : path_) {
                arcs_[arc].flow += amount;
                arcs_[arc ^ 1].flow -= amount;
            }
            path_.clear();
            v = source;
        }
        std::uint32_t& arc = current_[v];
        while (arc != kNone && (arcs_[arc].flow == arcs_[arc].capacity || level_[arcs_[arc].to] != level_[v] + 1)) arc = arcs_[arc].next;
        if (arc != kNone) {
            path_.push_back(arc);
            v = arcs_[arc].to;
        } else if (path_.empty()) {
            return;
        } else {
            level_[v] = -1;
            v = arcs_[path_.back() ^ 1].to;
            path_.pop_back();
        }
    }
}

std::int64_t CheckedFlow::verified(Vertex source, Vertex sink) {
    balance_.assign(first_.size(), 0);
    for (std::size_t arc = 0; arc < arcs_.size(); arc += 2) {
        const std::int64_t flow = arcs_[arc].flow;
        if (flow < 0 || flow > arcs_[arc].capacity) return 0;
        if (__builtin_add_overflow(balance_[arcs_[arc].to], flow, &balance_[arcs_[arc].to]) ||
            __builtin_sub_overflow(balance_[arcs_[arc ^ 1].to], flow, &balance_[arcs_[arc ^ 1].to]))
            return 0;
    }
    for (Vertex v = 0; v < balance_.size(); ++v)
        if (v != source && v != sink && balance_[v] != 0) return 0;
    return std::max<std::int64_t>(balance_[sink], 0);
}

std::int64_t CheckedFlow::at_least(Vertex source, Vertex sink, std::int64_t enough) {
    std::int64_t value = verified(source, sink);
    while (value < enough && layer(source, sink)) {
        augment(source, sink);
        value = verified(source, sink);
    }
    return value;
}

}  // namespace sluice::bound
