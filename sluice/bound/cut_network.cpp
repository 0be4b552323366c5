#include "sluice/bound/cut_network.hpp"

#include <algorithm>
#include <cassert>

#include "sluice/base/wide.hpp"

namespace sluice::bound {

namespace {

// Capacities into the sink sum to less than this, so that no sum of flows leaves int64 and no larger capacity matters.
constexpr Wide kLargestValue = Wide{1} << 60;

}  // namespace

void CutNetwork::add(std::uint32_t from, std::uint32_t to, Wide capacity, std::uint32_t first, std::uint32_t second) {
    if (capacity == 0) return;
    network_.add_arc(from, to, static_cast<std::int64_t>(std::min(capacity, kLargestValue)));
    numbers_.push_back({first, second});
}

std::optional<CutNetwork> CutNetwork::build(const cost::StageProblem& problem, const Relaxation& relaxation, const CutWeights& weights) {
    const std::size_t n = problem.node_count();
    CutNetwork cut;
    cut.weights_ = weights;
    cut.replicas_ = relaxation.replicas;
    assert(weights.theta == 0 || relaxation.spills);

    std::vector<Wide> alone(n, 0);
    const auto sink = static_cast<std::uint32_t>(n);
    cut.network_.reset(n + 1);
    std::uint32_t number = 0;
    Wide into_sink = 0;
    for (std::size_t v = 0; v < n; ++v) {
        const Wide work = Wide{weights.work} * relaxation.work[v];
        cut.add(static_cast<std::uint32_t>(v), sink, work, number++, kNoArc);
        into_sink += work;
        alone[v] += work;
    }
    for (std::size_t e = 0; e < problem.edge_count(); ++e) {
        const NodeId producer = problem.producer[e];
        const auto readers = problem.consumers[e];
        const Wide in = Wide{weights.in} * problem.transfer[e].count(), out = Wide{weights.out} * problem.transfer[e].count();
        const std::uint32_t from = producer.valid() ? static_cast<std::uint32_t>(producer.index()) : sink;
        const bool to_host = producer.valid() && problem.to_host[e];

        // Enters: paid when a reader is inside and the producer is not.
        const std::uint32_t in_arc = number++;
        for (NodeId reader : readers) alone[reader.index()] += in;
        if (!producer.valid() && !readers.empty()) into_sink += in;
        if (readers.size() == 1) {
            cut.add(static_cast<std::uint32_t>(readers[0].index()), from, in, number, in_arc);
        } else if (in != 0 && !readers.empty()) {
            const auto gate = cut.network_.add_vertex();
            cut.add(gate, from, in, in_arc, kNoArc);
            for (std::uint32_t c = 0; c < readers.size(); ++c)
                cut.add(static_cast<std::uint32_t>(readers[c].index()), gate, kLargestValue, number + c, kNoArc);
        }
        number += static_cast<std::uint32_t>(readers.size());
        if (!producer.valid()) continue;

        // Leaves: paid when the producer is inside and a reader (or the host, always) is not.
        const std::uint32_t out_arc = number++;
        if (to_host || !readers.empty()) alone[from] += out;
        if (to_host) {
            cut.add(from, sink, out, out_arc, number + static_cast<std::uint32_t>(readers.size()));
            into_sink += out;
        } else if (readers.size() == 1) {
            cut.add(from, static_cast<std::uint32_t>(readers[0].index()), out, out_arc, number);
        } else if (out != 0 && !readers.empty()) {
            const auto gate = cut.network_.add_vertex();
            cut.add(from, gate, out, out_arc, kNoArc);
            for (std::uint32_t c = 0; c < readers.size(); ++c)
                cut.add(gate, static_cast<std::uint32_t>(readers[c].index()), kLargestValue, number + c, kNoArc);
        }
        number += static_cast<std::uint32_t>(readers.size()) + (problem.to_host[e] ? 1 : 0);
    }
    if (weights.theta != 0) {
        // Each weight's share is rounded down and what memory spares is rounded up: rounding never helps the bound.
        const Wide rate = relaxation.rate.bytes_per_second;
        for (std::size_t w = 0; w < problem.weight_count(); ++w) {
            const auto users = problem.weight_users[w];
            const Wide spill = weights.theta * Wide{problem.weight_bytes[w].count} * kPicosecondsPerSecond / rate;
            const std::uint32_t weight_arc = number++;
            for (NodeId user : users) alone[user.index()] += spill;
            if (!users.empty()) into_sink += spill;
            if (users.size() == 1) {
                cut.add(static_cast<std::uint32_t>(users[0].index()), sink, spill, number, weight_arc);
            } else if (spill != 0 && !users.empty()) {
                const auto gate = cut.network_.add_vertex();
                cut.add(gate, sink, spill, weight_arc, kNoArc);
                for (std::uint32_t u = 0; u < users.size(); ++u)
                    cut.add(static_cast<std::uint32_t>(users[u].index()), gate, kLargestValue, number + u, kNoArc);
            }
            number += static_cast<std::uint32_t>(users.size());
        }
        const Wide allowance = ceil_divide(weights.theta * Wide{relaxation.memory.count} * kPicosecondsPerSecond, rate);
        cut.allowance_ = static_cast<std::int64_t>(std::min(allowance, kLargestValue));
    }
    if (into_sink >= kLargestValue) return std::nullopt;
    cut.alone_.reserve(n);
    for (Wide cost : alone) cut.alone_.push_back(static_cast<std::int64_t>(std::min(cost, kLargestValue)));
    return cut;
}

Duration CutNetwork::bound_of(std::int64_t cut) const {
    const Wide bound = ceil_divide(Wide{cut} - allowance_, Wide{weights_.scale} * replicas_);
    return Duration{static_cast<std::int64_t>(std::max<Wide>(bound, 0))};
}

Duration CutNetwork::solve(NodeId anchor, std::optional<Duration> enough) {
    // bound_of(c) >= enough exactly when c > allowance + (enough - 1) · scale · replicas.
    Wide stop = kLargestValue;
    if (enough) stop = std::clamp<Wide>(allowance_ + Wide{enough->count() - 1} * weights_.scale * replicas_ + 1, 1, kLargestValue);
    const auto sink = static_cast<graph::FlowNetwork::Vertex>(alone_.size());
    return bound_of(network_.maximum_flow(static_cast<graph::FlowNetwork::Vertex>(anchor.index()), sink, static_cast<std::int64_t>(stop)));
}

CutWitness CutNetwork::witness(NodeId anchor) const {
    CutWitness witness{.anchor = anchor,
                       .scale = weights_.scale,
                       .work = weights_.work,
                       .in = weights_.in,
                       .out = weights_.out,
                       .theta = weights_.theta,
                       .flows = {}};
    for (std::uint32_t arc = 0; arc < numbers_.size(); ++arc) {
        const std::int64_t flow = network_.flow(arc);
        if (flow == 0) continue;
        witness.flows.push_back({numbers_[arc].first, flow});
        if (numbers_[arc].second != kNoArc) witness.flows.push_back({numbers_[arc].second, flow});
    }
    std::ranges::sort(witness.flows, {}, &CutWitness::ArcFlow::arc);
    return witness;
}

}  // namespace sluice::bound
