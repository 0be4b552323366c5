#include "sluice/bound/combinatorial.hpp"

#include <algorithm>
#include <chrono>

#include "sluice/bound/relaxation.hpp"
#include "sluice/cost/stage_cost.hpp"

namespace sluice::bound {

namespace {

/// Work and spill of its own parameters, on the class where that is least.
Wide alone(const cost::StageProblem& problem, std::size_t node) {
    Bytes parameters;
    for (WeightId weight : problem.weights[node]) parameters += problem.weight_bytes[weight.index()];
    Wide least = -1;
    for (const auto& device : problem.classes) {
        if (device.count < 1 || !device.supported.contains(node)) continue;
        const Wide time = Wide{device.work[node].count()} + cost::spill_time(device, parameters).count();
        if (least < 0 || time < least) least = time;
    }
    return std::max<Wide>(least, 0);
}

Wide total(const cost::StageProblem& problem, const Relaxation& relaxation) {
    Wide sum = 0;
    for (std::int64_t work : relaxation.work) sum += work;
    if (!relaxation.spills) return sum;
    Wide excess = -Wide{relaxation.devices} * relaxation.memory.count;
    for (std::size_t w = 0; w < problem.weight_count(); ++w)
        if (!problem.weight_users[w].empty()) excess += problem.weight_bytes[w].count;
    return excess > 0 ? sum + ceil_divide(excess * kPicosecondsPerSecond, relaxation.rate.bytes_per_second) : sum;
}

struct Path {
    Wide work = 0;
    std::vector<NodeId> nodes;
};
/// The heaviest path; nodes of a problem are in topological order.
Path longest_path(const cost::StageProblem& problem, const Relaxation& relaxation) {
    Path path;
    std::vector<Wide> until(problem.node_count());
    std::vector<NodeId> before(problem.node_count());
    NodeId last;
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        for (NodeId u : problem.predecessors[v])
            if (!before[v].valid() || until[u.index()] > until[before[v].index()]) before[v] = u;
        until[v] = relaxation.work[v] + (before[v].valid() ? until[before[v].index()] : 0);
        if (!last.valid() || until[v] > path.work) path.work = until[v], last = NodeId(v);
    }
    for (; last.valid(); last = before[last.index()]) path.nodes.push_back(last);
    std::ranges::reverse(path.nodes);
    return path;
}

}  // namespace

Result<BoundResult> prove_combinatorial(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits&) {
    const auto began = std::chrono::steady_clock::now();
    const Relaxation relaxation = relax(problem, options.stages, options.max_replicas);
    if (relaxation.devices < 1) return fail(input_error("no devices: every device class has a count of 0"));
    std::size_t largest = 0;
    Wide most = -1;
    for (std::size_t v = 0; v < problem.node_count(); ++v)
        if (const Wide time = alone(problem, v); time > most) most = time, largest = v;
    const Wide of_largest = ceil_divide(most, relaxation.replicas);
    const Wide of_total = ceil_divide(total(problem, relaxation), relaxation.devices);

    BoundResult result;
    result.certificate = {
        .problem = problem.fingerprint,
        .model = {},
        .stages = options.stages,
        .max_replicas = options.max_replicas,
        .value = Duration{static_cast<std::int64_t>(std::max(of_largest, of_total))},
        .witness = of_largest > of_total ? Witness{LargestOperatorWitness{NodeId(largest)}} : Witness{TotalWorkWitness{}}};
    result.certificate.objective = options.objective;
    if (options.objective == cost::Objective::latency)
        if (Path path = longest_path(problem, relaxation); path.work > result.certificate.value.count()) {
            result.certificate.value = Duration{static_cast<std::int64_t>(path.work)};
            result.certificate.witness = LongestPathWitness{std::move(path.nodes)};
        }
    result.termination.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    result.termination.evaluations = 1;
    if (options.enough && result.certificate.value >= *options.enough) result.termination.reason = StopReason::optimal;
    observer.on_event({result.termination.seconds, "combinatorial", std::nullopt, result.certificate.value, "combinatorial"});
    return result;
}

}  // namespace sluice::bound
