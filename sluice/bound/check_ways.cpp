#include "sluice/bound/check_ways.hpp"

#include <algorithm>
#include <format>
#include <vector>

namespace sluice::bound {

namespace {

using Wide = CheckedWide;
using cost::StageProblem;

enum class Way { to, from };

/// 1 for `node` and for what it can be reached from, or what can be reached from it.
std::vector<char> reach(const StageProblem& problem, NodeId node, Way way) {
    std::vector<char> met(problem.node_count(), 0);
    std::vector<NodeId> open{node};
    met[node.index()] = 1;
    while (!open.empty()) {
        const std::size_t v = open.back().index();
        open.pop_back();
        for (const NodeId next : way == Way::from ? problem.successors[v] : problem.predecessors[v])
            if (met[next.index()] == 0) {
                met[next.index()] = 1;
                open.push_back(next);
            }
    }
    return met;
}

Wide work_of(const StageProblem& problem, const std::vector<char>& nodes) {
    Wide work = 0;
    for (std::size_t v = 0; v < nodes.size(); ++v)
        if (nodes[v] != 0) work += least_work(problem, v).value_or(0);
    return work;
}

Wide parameters_of(const StageProblem& problem, const std::vector<char>& nodes) {
    Wide bytes = 0;
    for (std::size_t w = 0; w < problem.weight_count(); ++w)
        if (std::ranges::any_of(problem.weight_users[w], [&](NodeId user) { return nodes[user.index()] != 0; }))
            bytes += problem.weight_bytes[w].count;
    return bytes;
}

/// Devices for these nodes, which all lie on stages of their own, when no stage on r devices is slower than r times the threshold.
Wide devices_for(const StageProblem& problem, const std::vector<char>& nodes, Wide threshold, std::optional<Wide> memory) {
    constexpr Wide kEndless = Wide{1} << 90;
    Wide devices = 1;
    if (const Wide work = work_of(problem, nodes); work > 0)
        devices = std::max(devices, threshold > 0 ? round_up(work, threshold) : kEndless);
    if (const Wide bytes = memory ? parameters_of(problem, nodes) : 0; bytes > 0)
        devices = std::max(devices, *memory > 0 ? round_up(bytes, *memory) : kEndless);
    return devices;
}

/// Of a stage at most, where every class refuses what is more.
std::optional<Wide> refused_above(const StageProblem& problem) {
    Wide memory = 0;
    for (const auto& device : problem.classes) {
        if (device.count <= 0) continue;
        if (device.overflow != cost::Overflow::hard) return std::nullopt;
        memory = std::max<Wide>(memory, device.fast_memory.count);
    }
    return memory;
}

Result<void> is_node(const StageProblem& problem, NodeId node) {
    if (node.valid() && node.index() < problem.node_count()) return {};
    return fail(objection(std::format("the witness names node {}, the problem has {}", node.index(), problem.node_count())));
}

}  // namespace

Result<void> check_waypoints(const Claim& claim, const WaypointsWitness& witness) {
    const StageProblem& problem = claim.problem;
    if (claim.value <= Duration{0}) return {};
    const Wide threshold = claim.value.count() - 1;
    const auto memory = refused_above(problem);
    Wide devices = 0;
    std::vector<char> behind(problem.node_count(), 1);  // what comes after the last waypoint
    for (const NodeId node : witness.nodes) {
        if (auto known = is_node(problem, node); !known) return known;
        if (auto on = go_on(claim.limits); !on) return on;
        if (behind[node.index()] == 0) return fail(objection(std::format("node {} lies on no way from the one before it", node.index())));
        std::vector<char> here = reach(problem, node, Way::to);
        for (std::size_t v = 0; v < here.size(); ++v) here[v] = here[v] != 0 && behind[v] != 0 ? 1 : 0;
        devices += devices_for(problem, here, threshold, memory) - claim.replicas;  // the next part shares this node's stage
        behind = reach(problem, node, Way::from);
    }
    devices += devices_for(problem, behind, threshold, memory);
    if (devices > claim.devices) return {};
    return fail(objection(std::format("the waypoints do not refute {} ps: their parts need {} devices, there are {}",
                                      claim.value.count() - 1, static_cast<std::int64_t>(devices), claim.devices)));
}

Result<CheckedWide> bound_by_triangle(const Claim& claim, const TriangleWitness& witness) {
    const StageProblem& problem = claim.problem;
    for (const NodeId node : {witness.from, witness.to})
        if (auto known = is_node(problem, node); !known) return fail(known.error());
    if (!std::ranges::contains(problem.successors[witness.from.index()], witness.to))
        return fail(objection(std::format("node {} does not feed node {}", witness.from.index(), witness.to.index())));
    std::vector<char> between = reach(problem, witness.from, Way::from);
    const std::vector<char> before = reach(problem, witness.to, Way::to);
    for (std::size_t v = 0; v < between.size(); ++v) between[v] = between[v] != 0 && before[v] != 0 ? 1 : 0;
    return round_up(work_of(problem, between), 2 * Wide{claim.replicas});
}

}  // namespace sluice::bound
