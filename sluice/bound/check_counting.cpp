#include <algorithm>
#include <format>

#include "sluice/bound/check_chain.hpp"
#include "sluice/bound/check_flow.hpp"
#include "sluice/graph/node_set.hpp"

namespace sluice::bound {

namespace {

using Wide = CheckedWide;
using graph::NodeSet;

/// Groups in a topological order: check_serial numbers them otherwise.
std::vector<std::uint32_t> topological(const CheckedSerial& serial) {
    std::vector<std::size_t> waiting(serial.group_count());
    std::vector<std::uint32_t> order;
    for (std::uint32_t g = 0; g < waiting.size(); ++g)
        if ((waiting[g] = serial.predecessors[g].size()) == 0) order.push_back(g);
    for (std::size_t next = 0; next < order.size(); ++next)
        for (std::uint32_t g : serial.successors[order[next]])
            if (--waiting[g] == 0) order.push_back(g);
    return order;
}

class CountingCheck {
public:
    CountingCheck(const CheckedSerial& serial, const CheckedCharge& charge)
        : serial_(serial),
          charge_(charge),
          order_(topological(serial)),
          before_(reach(serial.predecessors, false)),
          after_(reach(serial.successors, true)) {}

    /// Per group, least in + out of a stage that holds it and none of the groups too far from it.
    [[nodiscard]] Wide least_transfers(std::uint32_t group, Wide limit) {
        const NodeSet far = far_from(group, limit);
        const auto sink = static_cast<CheckedFlow::Vertex>(serial_.group_count());
        flow_.reset(serial_.group_count() + 1);
        // Far groups are the sink.
        const auto vertex = [&](std::uint32_t g) { return far.contains(g) ? sink : static_cast<CheckedFlow::Vertex>(g); };
        for (const auto& tensor : serial_.tensors) {
            const std::int64_t cost = charge_.factor * tensor.transfer;
            const auto in = flow_.add_vertex(), out = flow_.add_vertex();
            flow_.add_arc(in, vertex(tensor.producer), cost);
            flow_.add_arc(vertex(tensor.producer), out, cost);
            for (std::uint32_t g : tensor.consumers) {
                flow_.add_arc(vertex(g), in, CheckedFlow::kUnlimited);
                flow_.add_arc(out, vertex(g), CheckedFlow::kUnlimited);
            }
        }
        return flow_.at_least(group, sink);
    }

private:
    [[nodiscard]] std::vector<NodeSet> reach(const std::vector<std::vector<std::uint32_t>>& along, bool backwards) const {
        const std::size_t n = serial_.group_count();
        std::vector<NodeSet> rows(n, NodeSet(n));
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint32_t g = order_[backwards ? n - 1 - i : i];
            rows[g].insert(g);
            for (std::uint32_t next : along[g]) rows[g] |= rows[next];
        }
        return rows;
    }

    /// A stage that holds two groups holds all between them: they share none when the work of those, theirs included, is above the limit.
    [[nodiscard]] NodeSet far_from(std::uint32_t group, Wide limit) const {
        NodeSet far(serial_.group_count());
        const auto look = [&](std::uint32_t g, const std::vector<NodeSet>& onwards, const std::vector<NodeSet>& back,
                              const std::vector<std::uint32_t>& towards) {
            if (g == group || !onwards[group].contains(g)) return;
            // What lies beyond a far group is as far.
            bool is_far = std::ranges::any_of(towards, [&](std::uint32_t t) { return onwards[group].contains(t) && far.contains(t); });
            if (!is_far) {
                NodeSet between = onwards[group];
                between &= back[g];
                Wide work = 0;
                between.for_each([&](std::size_t b) { work += charge_.work[b]; });
                is_far = work > limit;
            }
            if (is_far) far.insert(g);
        };
        for (std::uint32_t g : order_) look(g, after_, before_, serial_.predecessors[g]);
        for (auto g = order_.rbegin(); g != order_.rend(); ++g) look(*g, before_, after_, serial_.successors[*g]);
        return far;
    }

    const CheckedSerial& serial_;
    const CheckedCharge& charge_;
    std::vector<std::uint32_t> order_;
    std::vector<NodeSet> before_, after_;
    CheckedFlow flow_;
};

}  // namespace

Result<std::optional<std::vector<std::int64_t>>> counting_weights(const CheckedSerial& serial, const CheckedCharge& charge,
                                                                  const std::vector<Wide>& limits, const Limits& until) {
    CountingCheck check(serial, charge);
    const Wide replicas = serial.replicas;
    std::vector<std::int64_t> weights;
    for (std::uint32_t g = 0; g < serial.group_count(); ++g) {
        if (auto more = go_on(until); !more) return fail(more.error());
        const Wide work = charge.work[g];
        const Wide transfers = work == 0 ? 0 : check.least_transfers(g, limits.back());
        if (work + transfers > limits.back()) return std::optional<std::vector<std::int64_t>>();
        // Its work is at most its room, so the weight is at most one whole stage's on all replicas.
        weights.push_back(
            work == 0 ? 0 : static_cast<std::int64_t>((work * replicas << kCheckedShift) / (limits.front() * replicas - transfers)));
    }
    return weights;
}

Result<void> check_counting(const Claim& claim, const CountingWitness& witness) {
    const auto serial = check_serial(claim, witness.serial);
    if (!serial) return fail(serial.error());
    const auto charge = check_charge(*serial, witness.theta_halves);
    if (!charge) return fail(charge.error());
    if (claim.value <= Duration{0}) return {};
    const auto weights = counting_weights(*serial, *charge, stage_limits(*serial, *charge, claim.value), claim.limits);
    if (!weights) return fail(weights.error());
    if (!*weights) return {};
    Wide total = 0;
    for (std::int64_t weight : **weights) total += weight;
    if (total > Wide{serial->devices} << kCheckedShift) return {};
    return fail(objection(std::format("the counting weights do not prove {} ps", claim.value.count())));
}

}  // namespace sluice::bound
