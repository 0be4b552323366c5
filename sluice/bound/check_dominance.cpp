#include "sluice/bound/check_dominance.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bound {

namespace {

constexpr CheckedFlow::Vertex kSource = 0, kSink = 1;

}  // namespace

CheckedDominance::CheckedDominance(const CheckedGroups& groups) : groups_(&groups), local_(groups.size(), 0), seen_(groups.tensors(), 0) {}

/// Vertices: source, sink, X, then one for an alive tensor with consumers in X, two for a dead one made in X and read by several.
/// The source side of a cut is Y with the alive tensors that lie wholly in it.
void CheckedDominance::build(const graph::NodeSet& larger) {
    flow_.reset(2);
    alive_ = 0;
    for (Index g : difference_) local_[g] = flow_.add_vertex();
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
                const Index whole = flow_.add_vertex();
                flow_.add_arc(kSource, whole, q);
                flow_.add_arc(whole, own, CheckedFlow::kUnlimited);
                for (Index reader : readers)
                    if (local_[reader] != 0) flow_.add_arc(whole, local_[reader], CheckedFlow::kUnlimited);
            } else if (readers.size() == 1) {
                flow_.add_arc(own, local_[readers.front()], q), flow_.add_arc(local_[readers.front()], own, q);
            } else {
                const Index in = flow_.add_vertex(), out = flow_.add_vertex();
                flow_.add_arc(in, out, q);
                flow_.add_arc(own, in, CheckedFlow::kUnlimited);
                flow_.add_arc(out, own, CheckedFlow::kUnlimited);
                for (Index reader : readers) {
                    flow_.add_arc(local_[reader], in, CheckedFlow::kUnlimited);
                    flow_.add_arc(out, local_[reader], CheckedFlow::kUnlimited);
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
            const Index read = flow_.add_vertex();
            flow_.add_arc(read, kSink, groups_->transfer[t]);
            for (Index reader : readers)
                if (local_[reader] != 0) flow_.add_arc(local_[reader], read, CheckedFlow::kUnlimited);
        }
        if (from_source > 0) flow_.add_arc(kSource, own, from_source);
        if (to_sink > 0) flow_.add_arc(own, kSink, to_sink);
    }
}

bool CheckedDominance::shown(const graph::NodeSet& larger, const graph::NodeSet& smaller) {
    graph::NodeSet rest = larger;
    rest -= smaller;
    difference_.clear();
    rest.for_each([&](std::size_t g) { difference_.push_back(static_cast<Index>(g)); });
    build(larger);
    for (Index g : difference_) local_[g] = 0;
    return alive_ == 0 || flow_.at_least(kSource, kSink, alive_) >= alive_;
}

}  // namespace sluice::bound
