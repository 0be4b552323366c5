#include <algorithm>
#include <format>

#include "sluice/bound/check_chain.hpp"
#include "sluice/bound/check_flow.hpp"
#include "sluice/graph/node_set.hpp"

namespace sluice::bound {

namespace {

using Wide = CheckedWide;
using graph::NodeSet;

constexpr int kShift = 32;

class CountingCheck {
public:
    explicit CountingCheck(const CheckedThreshold& threshold)
        : groups_(threshold.groups),
          work_(threshold.work),
          factor_(threshold.factor),
          before_(reach(groups_.predecessors, false)),
          after_(reach(groups_.successors, true)) {}

    /// Per group, least in + out of a stage that holds it and none of the groups too far from it.
    [[nodiscard]] Wide least_transfers(std::uint32_t group, Wide limit) {
        const NodeSet far = far_from(group, limit);
        const auto sink = static_cast<CheckedFlow::Vertex>(groups_.size());
        flow_.reset(groups_.size() + 1);
        // Far groups are the sink.
        const auto vertex = [&](std::uint32_t g) { return far.contains(g) ? sink : static_cast<CheckedFlow::Vertex>(g); };
        for (std::size_t t = 0; t < groups_.tensors(); ++t) {
            const std::int64_t cost = factor_ * groups_.transfer[t];
            const auto in = flow_.add_vertex(), out = flow_.add_vertex();
            flow_.add_arc(in, vertex(groups_.producer[t]), cost);
            flow_.add_arc(vertex(groups_.producer[t]), out, cost);
            for (std::uint32_t g : groups_.consumers[t]) {
                flow_.add_arc(vertex(g), in, CheckedFlow::kUnlimited);
                flow_.add_arc(out, vertex(g), CheckedFlow::kUnlimited);
            }
        }
        return flow_.at_least(group, sink);
    }

private:
    /// Numbers of groups are a topological order.
    [[nodiscard]] static std::vector<NodeSet> reach(const Rows<CheckedGroups::Index>& along, bool backwards) {
        const std::size_t n = along.size();
        std::vector<NodeSet> rows(n, NodeSet(n));
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t g = backwards ? n - 1 - i : i;
            rows[g].insert(g);
            for (CheckedGroups::Index next : along[g]) rows[g] |= rows[next];
        }
        return rows;
    }

    /// A stage that holds two groups holds all between them: they share none when the work of those, theirs included, is above the limit.
    [[nodiscard]] NodeSet far_from(std::uint32_t group, Wide limit) const {
        NodeSet far(groups_.size());
        const auto look = [&](std::uint32_t g, const std::vector<NodeSet>& onwards, const std::vector<NodeSet>& back,
                              std::span<const CheckedGroups::Index> towards) {
            if (!onwards[group].contains(g)) return;
            // What lies beyond a far group is as far.
            bool is_far = std::ranges::any_of(towards, [&](std::uint32_t t) { return onwards[group].contains(t) && far.contains(t); });
            if (!is_far) {
                NodeSet between = onwards[group];
                between &= back[g];
                Wide work = 0;
                between.for_each([&](std::size_t b) { work += work_[b]; });
                is_far = work > limit;
            }
            if (is_far) far.insert(g);
        };
        for (std::uint32_t g = group + 1; g < groups_.size(); ++g) look(g, after_, before_, groups_.predecessors[g]);
        for (std::uint32_t g = group; g-- > 0;) look(g, before_, after_, groups_.successors[g]);
        return far;
    }

    const CheckedGroups& groups_;
    const std::vector<std::int64_t>& work_;
    std::int64_t factor_;
    std::vector<NodeSet> before_, after_;
    CheckedFlow flow_;
};

}  // namespace

Result<void> check_counting(const Claim& claim, const CountingWitness& witness) {
    const auto threshold = check_threshold(claim, witness.serial, {}, witness.theta_halves);
    if (!threshold) return fail(threshold.error());
    if (claim.value <= Duration{0}) return {};
    CountingCheck check(*threshold);
    Wide total = 0;
    const Wide replicas = claim.replicas, one = threshold->limits.front(), most = threshold->limits.back();
    for (std::uint32_t g = 0; g < threshold->groups.size(); ++g) {
        const Wide work = threshold->work[g];
        if (work == 0) continue;
        const Wide transfers = check.least_transfers(g, most);
        if (work + transfers > most) return {};  // fits no stage
        total += (work * replicas << kShift) / (one * replicas - transfers);
        if (total > Wide{threshold->devices} << kShift) return {};
    }
    return fail(objection(std::format("the counting weights do not prove {} ps", claim.value.count())));
}

}  // namespace sluice::bound
