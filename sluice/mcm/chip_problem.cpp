#include "sluice/mcm/chip_problem.hpp"

#include <algorithm>
#include <format>

#include "sluice/cost/stage_cost.hpp"
#include "sluice/mcm/chip_mask.hpp"

namespace sluice::mcm {

Result<ChipProblem> chip_problem(const graph::Graph& graph, const cost::StageProblem& costs, const platform::Platform& platform,
                                 const Rules& rules) {
    if (platform.topology != platform::Topology::ring && platform.topology != platform::Topology::chain)
        return fail(usage_error(std::format("chips lie on a ring or a chain, the topology of '{}' is {}", platform.name,
                                            platform::to_text(platform.topology))));
    if (costs.classes.size() != 1)
        return fail(usage_error(std::format("'{}' has {} device classes, chips are all alike", platform.name, costs.classes.size())));
    const cost::DeviceCosts& chip = costs.classes.front();
    if (chip.count < 1 || chip.count > static_cast<std::int64_t>(kMostChips))
        return fail(usage_error(std::format("{} chips, can plan for 1 to {}", chip.count, kMostChips)));
    ChipProblem problem{
        .costs = &costs, .chips = static_cast<std::size_t>(chip.count), .sram = {}, .rules = rules, .names = {}, .nogoods = {}};
    if (chip.overflow == cost::Overflow::hard) problem.sram = chip.fast_memory;
    problem.names.reserve(costs.node_count());
    for (std::size_t v = 0; v < costs.node_count(); ++v) {
        const auto operators = costs.operators[v];
        std::string name = graph.operators()[operators.front().index()].name;
        if (operators.size() > 1) name += std::format(" and {} more", operators.size() - 1);
        problem.names.push_back(std::move(name));
        const OperatorId heaviest = std::ranges::max(operators, {}, [&](OperatorId id) { return graph[id].features.flops; });
        problem.classes.push_back(graph[heaviest].features.operator_class);
    }
    return problem;
}

std::vector<Duration> chip_times(const ChipProblem& problem, std::span<const std::uint8_t> assignment) {
    const cost::StageProblem& costs = *problem.costs;
    const cost::DeviceCosts& device = costs.classes.front();
    std::vector<cost::StageTerms> terms(problem.chips);
    const auto chips_of = [&](std::span<const NodeId> nodes) {
        std::uint64_t mask = 0;
        for (const NodeId node : nodes) mask |= std::uint64_t{1} << assignment[node.index()];
        return mask;
    };
    for (std::size_t v = 0; v < costs.node_count(); ++v) terms[assignment[v]].work += device.work[v];
    for (std::size_t e = 0; e < costs.edge_count(); ++e) {
        std::uint64_t readers = chips_of(costs.consumers[e]);
        if (const NodeId producer = costs.producer[e]; producer.valid()) {
            const std::size_t from = assignment[producer.index()];
            const std::uint64_t own = std::uint64_t{1} << from;
            std::uint64_t senders = readers != own && readers != 0 ? own : 0;
            if (problem.rules.relay && senders != 0) {
                const auto to = static_cast<std::size_t>(std::bit_width(readers)) - 1;
                readers = to > from ? (((std::uint64_t{2} << to) - 1) ^ ((std::uint64_t{2} << from) - 1)) : 0;
                senders = readers == 0 ? 0 : (readers >> 1);
            }
            readers &= ~own;
            if (costs.to_host[e] != 0) senders |= own;
            for_each_chip(senders, [&](std::size_t chip) { terms[chip].out += costs.transfer[e]; });
        }
        for_each_chip(readers, [&](std::size_t chip) { terms[chip].in += costs.transfer[e]; });
    }
    if (device.overflow == cost::Overflow::spill)
        for (std::size_t w = 0; w < costs.weight_count(); ++w)
            for_each_chip(chips_of(costs.weight_users[w]), [&](std::size_t chip) { terms[chip].parameters += costs.weight_bytes[w]; });
    std::vector<Duration> times;
    for (cost::StageTerms& term : terms) {
        term.spill = cost::spill_time(device, term.parameters);
        times.push_back(cost::stage_time(costs.model, term));
    }
    return times;
}

Duration bottleneck(const ChipProblem& problem, std::span<const std::uint8_t> assignment) {
    return std::ranges::max(chip_times(problem, assignment));
}

}  // namespace sluice::mcm
