#include "sluice/bound/check_certificate.hpp"

#include <algorithm>
#include <format>
#include <limits>
#include <optional>

#include "sluice/bound/check_chain.hpp"
#include "sluice/bound/check_covering.hpp"
#include "sluice/bound/check_exact_dp.hpp"
#include "sluice/bound/check_lp.hpp"
#include "sluice/bound/check_terms.hpp"
#include "sluice/bound/check_ways.hpp"
#include "sluice/cost/stage_cost.hpp"

namespace sluice::bound {

namespace {

using cost::StageModel;
using cost::StageProblem;
using Wide = CheckedWide;

/// What a witness proves: a bound on the bottleneck, or why it proves nothing.
struct Proof {
    Wide bound = 0;
    std::optional<Diagnostic> fault;
};
Proof no_proof(std::string message) { return {0, objection(std::move(message))}; }

Proof prove(const Claim& claim, const LargestOperatorWitness& witness) {
    const StageProblem& problem = claim.problem;
    if (!witness.node.valid() || witness.node.index() >= problem.node_count())
        return no_proof(std::format("the witness names node {}, the problem has {}", witness.node.index(), problem.node_count()));
    const std::size_t v = witness.node.index();
    Bytes parameters;
    for (WeightId weight : problem.weights[v]) parameters += problem.weight_bytes[weight.index()];
    std::optional<Wide> least;
    for (const auto& device : problem.classes) {
        if (device.count <= 0 || !device.supported.contains(v)) continue;
        const Wide time = static_cast<Wide>(device.work[v].count()) + cost::spill_time(device, parameters).count();
        least = least ? std::min(*least, time) : time;
    }
    if (!least) return no_proof(std::format("node {} runs on no device", v));
    return {round_up(*least, claim.replicas), std::nullopt};
}

Proof prove(const Claim& claim, const TotalWorkWitness&) {
    const StageProblem& problem = claim.problem;
    Wide total = 0;
    for (std::size_t v = 0; v < problem.node_count(); ++v) total += least_work(problem, v).value_or(0);
    if (const auto floor = spill_floor(problem)) {
        Wide excess = -claim.devices * floor->memory;
        for (std::size_t w = 0; w < problem.weight_count(); ++w)
            if (!problem.weight_users[w].empty()) excess += problem.weight_bytes[w].count;
        if (excess > 0) total += round_up(excess * kPicosecondsPerSecond, floor->rate);
    }
    return {round_up(total, claim.devices), std::nullopt};
}

Proof prove(const Claim& claim, const LongestPathWitness& witness) {
    if (claim.objective != cost::Objective::latency) return no_proof("a path bounds the latency, not the bottleneck");
    const StageProblem& problem = claim.problem;
    Wide total = 0;
    for (std::size_t i = 0; i < witness.nodes.size(); ++i) {
        const NodeId node = witness.nodes[i];
        if (!node.valid() || node.index() >= problem.node_count())
            return no_proof(std::format("the path names node {}, the problem has {}", node.index(), problem.node_count()));
        // Nodes are numbered in a topological order and every successor comes later, so no node is there twice.
        if (i > 0 && !std::ranges::binary_search(problem.successors[witness.nodes[i - 1].index()], node))
            return no_proof(std::format("node {} does not follow node {}", node.index(), witness.nodes[i - 1].index()));
        total += least_work(problem, node.index()).value_or(0);
    }
    return {total, std::nullopt};
}

/// Walks the arcs of the cut's network in their numbering (docs/formats/certificate.md) and books the witness's flow on them.
class FlowLedger {
public:
    FlowLedger(const StageProblem& problem, const CutWitness& witness)
        : witness_(witness), excess_(1 + problem.node_count() + 2 * problem.edge_count() + problem.weight_count(), 0) {}

    /// The next arc; `capacity` nullopt: unlimited.
    void arc(std::size_t from, std::size_t to, std::optional<Wide> capacity) {
        const std::uint64_t number = arcs_++;
        if (next_ == witness_.flows.size() || witness_.flows[next_].arc != number) return;
        const std::int64_t flow = witness_.flows[next_++].flow;
        if (fault_) return;
        if (flow < 0)
            fault_ = std::format("arc {} has a negative flow of {}", number, flow);
        else if (capacity && flow > *capacity)
            fault_ = std::format("arc {} has a flow of {}, its capacity is {}", number, flow, static_cast<std::int64_t>(*capacity));
        excess_[from] -= flow;
        excess_[to] += flow;
    }

    /// The flow's value, after the last arc; sets the fault when it is no flow from `source` to `sink`.
    Wide close(std::size_t source, std::size_t sink) {
        if (!fault_ && next_ != witness_.flows.size())
            fault_ = std::format("the flow of arc {} has no place: arcs are ascending and below {}", witness_.flows[next_].arc, arcs_);
        for (std::size_t v = 0; v < excess_.size() && !fault_; ++v)
            if (v != source && v != sink && excess_[v] != 0) fault_ = std::format("more or less flow enters vertex {} than leaves it", v);
        return -excess_[source];
    }
    [[nodiscard]] const std::optional<std::string>& fault() const { return fault_; }

private:
    const CutWitness& witness_;
    std::vector<Wide> excess_;
    std::size_t next_ = 0;
    std::uint64_t arcs_ = 0;
    std::optional<std::string> fault_;
};

std::optional<std::string> fault_of_weights(const StageProblem& problem, const CutWitness& w) {
    if (w.scale < 1 || w.scale > kLargestScale) return std::format("scale {} is not within 1 to {}", w.scale, kLargestScale);
    for (std::int64_t weight : {w.work, w.in, w.out, w.theta})
        if (weight < 0 || weight > w.scale) return std::format("weight {} is not within 0 to the scale {}", weight, w.scale);
    if (problem.model == StageModel::serial) return std::nullopt;
    if (w.work + w.in + w.out > w.scale)
        return std::format("weights {} + {} + {} exceed the scale {}: transfers overlap with work here", w.work, w.in, w.out, w.scale);
    if (w.theta > w.work) return std::format("theta {} exceeds the weight {} of work", w.theta, w.work);
    return std::nullopt;
}

Proof prove(const Claim& claim, const CutWitness& witness) {
    const StageProblem& problem = claim.problem;
    if (auto fault = fault_of_weights(problem, witness)) return no_proof(*std::move(fault));
    if (!witness.anchor.valid() || witness.anchor.index() >= problem.node_count())
        return no_proof(std::format("the anchor is node {}, the problem has {}", witness.anchor.index(), problem.node_count()));
    const auto floor = spill_floor(problem);
    if (witness.theta != 0 && !floor) return no_proof("theta is charged, but some device class never spills");

    const std::size_t nodes = problem.node_count(), edges = problem.edge_count();
    const std::size_t sink = nodes, in_vertex = nodes + 1, out_vertex = in_vertex + edges, weight_vertex = out_vertex + edges;
    FlowLedger ledger(problem, witness);
    for (std::size_t v = 0; v < nodes; ++v) ledger.arc(v, sink, static_cast<Wide>(witness.work) * least_work(problem, v).value_or(0));
    for (std::size_t e = 0; e < edges; ++e) {
        const NodeId producer = problem.producer[e];
        const Wide transfer = problem.transfer[e].count();
        ledger.arc(in_vertex + e, producer.valid() ? producer.index() : sink, witness.in * transfer);
        for (NodeId reader : problem.consumers[e]) ledger.arc(reader.index(), in_vertex + e, std::nullopt);
        if (!producer.valid()) continue;
        ledger.arc(producer.index(), out_vertex + e, witness.out * transfer);
        for (NodeId reader : problem.consumers[e]) ledger.arc(out_vertex + e, reader.index(), std::nullopt);
        if (problem.to_host[e]) ledger.arc(out_vertex + e, sink, std::nullopt);
    }
    const auto charge = [&](Wide bytes) { return witness.theta * bytes * kPicosecondsPerSecond; };  // times rate
    for (std::size_t w = 0; w < problem.weight_count(); ++w) {
        ledger.arc(weight_vertex + w, sink, floor ? charge(problem.weight_bytes[w].count) / floor->rate : 0);
        for (NodeId user : problem.weight_users[w]) ledger.arc(user.index(), weight_vertex + w, std::nullopt);
    }
    const Wide value = ledger.close(witness.anchor.index(), sink);
    if (ledger.fault()) return no_proof(*ledger.fault());
    const Wide allowance = floor ? round_up(charge(floor->memory), floor->rate) : 0;
    return {round_up(value - allowance, static_cast<Wide>(witness.scale) * claim.replicas), std::nullopt};
}

// These refute what is below a value, and prove no other.
Proof refuted_below(Duration value, const Result<void>& check) {
    return {value.count(), check ? std::nullopt : std::optional(check.error())};
}

Proof prove(const Claim& claim, const ChainWitness& witness) { return refuted_below(claim.value, check_chain(claim, witness)); }

Proof prove(const Claim& claim, const CountingWitness& witness) { return refuted_below(claim.value, check_counting(claim, witness)); }

Proof prove(const Claim& claim, const WaypointsWitness& witness) { return refuted_below(claim.value, check_waypoints(claim, witness)); }

Proof prove(const Claim& claim, const TriangleWitness& witness) {
    const auto proven = bound_by_triangle(claim, witness);
    if (!proven) return {0, proven.error()};
    return {*proven, std::nullopt};
}

Proof prove(const Claim& claim, const CoveringWitness& witness) { return refuted_below(claim.value, check_covering(claim, witness)); }

Proof prove(const Claim& claim, const ExactDpWitness& witness) { return refuted_below(claim.value, check_exact_dp(claim, witness)); }

Proof prove(const Claim& claim, const LinearProgramWitness& witness) {
    const auto proven = proven_by(claim.problem, claim.devices, claim.replicas, witness);
    if (!proven) return {0, proven.error()};
    return {proven->count(), std::nullopt};
}

Proof prove(const Claim&, const SolverClaimWitness& witness) {
    return no_proof(std::format("'{}' claims this bound: there is nothing to check", witness.solver));
}

}  // namespace

std::vector<Diagnostic> check_certificate(const StageProblem& problem, const Certificate& certificate, const Limits& limits,
                                          Partitions of) {
    std::vector<Diagnostic> objections;
    if (certificate.problem != problem.fingerprint)
        objections.push_back(objection("the certificate is for another problem")
                                 .note(std::format("it names problem '{}', this one is '{}'", certificate.problem, problem.fingerprint)));
    if (certificate.stages < 1) objections.push_back(objection(std::format("{} stages: at least 1 is needed", certificate.stages)));
    if (certificate.max_replicas < 1)
        objections.push_back(objection(std::format("{} replicas: at least 1 is needed", certificate.max_replicas)));
    if (certificate.objective == cost::Objective::latency && certificate.max_replicas != 1)
        objections.push_back(
            objection(std::format("{} replicas: a bound on the latency is for 1 and so for any", certificate.max_replicas)));
    if (std::holds_alternative<TriangleWitness>(certificate.witness) && (of != Partitions::triangle || !certificate.transfers))
        objections.push_back(objection("a bound of kind 'triangle' holds for plans on a ring of chips without rewrites alone"));
    if (certificate.value < Duration{0}) objections.push_back(objection("the bound is negative"));
    const std::int64_t devices = devices_of(problem, certificate.stages);
    if (objections.empty() && devices < 1) objections.push_back(objection("the problem has no device"));
    if (!objections.empty()) return objections;

    const std::optional<StageProblem> work = certificate.transfers ? std::nullopt : std::optional(cost::without_transfers(problem));
    const Claim claim{work ? *work : problem, devices,           std::min(certificate.max_replicas, devices),
                      certificate.objective,  certificate.value, limits};
    const Proof proof = std::visit([&](const auto& witness) { return prove(claim, witness); }, certificate.witness);
    if (proof.fault) return {*proof.fault};
    if (certificate.value.count() > proof.bound)
        return {objection(std::format("the bound is {} ps, its witness proves {} ps", certificate.value.count(),
                                      static_cast<std::int64_t>(std::max<Wide>(proof.bound, 0))))};
    return {};
}

}  // namespace sluice::bound
