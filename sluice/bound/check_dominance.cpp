#include "sluice/bound/check_dominance.hpp"

#include <algorithm>
#include <limits>

namespace sluice::bound {

namespace {

constexpr std::uint32_t kSource = 0, kSink = 1;
constexpr std::int64_t kUnlimited = std::int64_t{1} << 62;  // above the sum of all costs

}  // namespace

CheckedDominance::CheckedDominance(const CheckedGroups& groups) : groups_(&groups), local_(groups.size(), 0), seen_(groups.tensors(), 0) {}

void CheckedDominance::connect(Index from, Index to, std::int64_t capacity, std::int64_t back) {
    first_[from].push_back(static_cast<Index>(arcs_.size()));
    arcs_.push_back({from, to, capacity, 0});
    first_[to].push_back(static_cast<Index>(arcs_.size()));
    arcs_.push_back({to, from, back, 0});
}

/// Vertices: source, sink, X, then one for an alive tensor with consumers in X, two for a dead one made in X and read by several.
/// The source side of a cut is Y with the alive tensors that lie wholly in it.
void CheckedDominance::build(const graph::NodeSet& larger) {
    arcs_.clear();
    first_.clear();
    alive_ = 0;
    vertex(), vertex();
    for (Index g : difference_) local_[g] = vertex();
    ++call_;
    for (Index g : difference_) {
        const Index own = local_[g];
        std::int64_t to_sink = groups_->work[g], from_source = 0;
        for (Index t : groups_->outputs[g]) {
            const auto readers = groups_->consumers[t];
            const std::int64_t q = groups_->transfer[t];
            const bool alive = std::ranges::any_of(readers, [&](Index reader) { return !larger.contains(reader); });
            if (alive) {
                alive_ += q;
                if (std::ranges::none_of(readers, [&](Index reader) { return local_[reader] != 0; })) {
                    from_source += q;
                    continue;
                }
                const Index whole = vertex();
                connect(kSource, whole, q);
                connect(whole, own, kUnlimited);
                for (Index reader : readers)
                    if (local_[reader] != 0) connect(whole, local_[reader], kUnlimited);
            } else if (readers.size() == 1) {
                connect(own, local_[readers.front()], q, q);
            } else {
                const Index in = vertex(), out = vertex();
                connect(in, out, q);
                connect(own, in, kUnlimited);
                connect(out, own, kUnlimited);
                for (Index reader : readers) {
                    connect(local_[reader], in, kUnlimited);
                    connect(out, local_[reader], kUnlimited);
                }
            }
        }
        for (Index t : groups_->inputs[g]) {
            if (local_[groups_->producer[t]] != 0 || std::exchange(seen_[t], call_) == call_) continue;
            const auto readers = groups_->consumers[t];
            if (std::ranges::any_of(readers, [&](Index reader) { return !larger.contains(reader); })) continue;
            Index inside = 0;
            for (Index reader : readers) inside += local_[reader] != 0;
            if (inside == 1) {
                to_sink += groups_->transfer[t];
                continue;
            }
            const Index read = vertex();
            connect(read, kSink, groups_->transfer[t]);
            for (Index reader : readers)
                if (local_[reader] != 0) connect(local_[reader], read, kUnlimited);
        }
        if (from_source > 0) connect(kSource, own, from_source);
        if (to_sink > 0) connect(own, kSink, to_sink);
    }
}

bool CheckedDominance::label() {
    level_.assign(first_.size(), 0);
    queue_.assign(1, kSource);
    level_[kSource] = 1;
    for (std::size_t head = 0; head < queue_.size(); ++head)
        for (Index a : first_[queue_[head]])
            if (arcs_[a].flow < arcs_[a].capacity && level_[arcs_[a].to] == 0) {
                level_[arcs_[a].to] = level_[queue_[head]] + 1;
                queue_.push_back(arcs_[a].to);
            }
    return level_[kSink] != 0;
}

std::int64_t CheckedDominance::push(Index vertex, std::int64_t most) {
    if (vertex == kSink) return most;
    std::int64_t pushed = 0;
    for (Index& i = next_[vertex]; i < first_[vertex].size(); ++i) {
        const Index a = first_[vertex][i];
        if (level_[arcs_[a].to] != level_[vertex] + 1 || arcs_[a].flow == arcs_[a].capacity) continue;
        const std::int64_t through = push(arcs_[a].to, std::min(most - pushed, arcs_[a].capacity - arcs_[a].flow));
        arcs_[a].flow += through;
        arcs_[a ^ 1].flow -= through;
        pushed += through;
        if (pushed == most) return pushed;
    }
    return pushed;
}

void CheckedDominance::saturate() {
    while (label()) {
        next_.assign(first_.size(), 0);
        if (push(kSource, alive_) == 0) return;
    }
}

bool CheckedDominance::verified() const {
    std::vector<std::int64_t> excess(first_.size(), 0);
    for (std::size_t a = 0; a < arcs_.size(); a += 2) {
        // A pair of arcs holds one net flow; both capacities bind it.
        const Arc &arc = arcs_[a], &reverse = arcs_[a + 1];
        if (arc.flow > arc.capacity || -arc.flow > reverse.capacity) return false;
        excess[arc.from] -= arc.flow;
        excess[arc.to] += arc.flow;
    }
    for (std::size_t v = 0; v < excess.size(); ++v)
        if (v != kSource && v != kSink && excess[v] != 0) return false;
    return excess[kSink] == alive_ && excess[kSource] == -alive_;
}

bool CheckedDominance::shown(const graph::NodeSet& larger, const graph::NodeSet& smaller) {
    graph::NodeSet rest = larger;
    rest -= smaller;
    difference_.clear();
    rest.for_each([&](std::size_t g) { difference_.push_back(static_cast<Index>(g)); });
    build(larger);
    if (alive_ > 0) saturate();
    for (Index g : difference_) local_[g] = 0;
    return verified();
}

}  // namespace sluice::bound
