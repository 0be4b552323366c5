#include "sluice/mcm/judge/fitting_judge.hpp"

#include <algorithm>
#include <format>
#include <vector>

#include "sluice/cost/stage_cost.hpp"

namespace sluice::mcm {

namespace {

std::vector<Bytes> passing_bytes(const ChipProblem& problem, std::span<const std::uint8_t> chips) {
    const cost::StageProblem& costs = *problem.costs;
    std::vector<Bytes> bytes(problem.chips);
    for (std::size_t e = 0; e < costs.edge_count(); ++e) {
        if (!costs.producer[e].valid() || costs.consumers[e].empty()) continue;
        std::size_t last = 0;
        for (const NodeId reader : costs.consumers[e]) last = std::max<std::size_t>(last, chips[reader.index()]);
        for (std::size_t chip = chips[costs.producer[e].index()] + std::size_t{1}; chip < last; ++chip) bytes[chip] += costs.bytes[e];
    }
    return bytes;
}

}  // namespace

std::optional<CompileFailure> beyond_memory(const ChipProblem& problem, std::span<const std::uint8_t> assignment) {
    const cost::StageProblem& costs = *problem.costs;
    const cost::DeviceCosts& device = costs.classes.front();
    if (device.overflow != cost::Overflow::hard || !problem.sram) return std::nullopt;
    std::vector<std::vector<NodeId>> nodes(problem.chips);
    for (std::size_t v = 0; v < assignment.size(); ++v) nodes[assignment[v]].emplace_back(v);
    const std::vector<Bytes> passing = problem.rules.relay ? passing_bytes(problem, assignment) : std::vector<Bytes>(problem.chips);
    for (std::size_t chip = 0; chip < problem.chips; ++chip) {
        if (nodes[chip].empty()) continue;
        cost::StageTerms terms = cost::stage_terms(costs, nodes[chip], ClassId(0));
        terms.peak += passing[chip] + passing[chip];
        if (cost::fits(device, terms)) continue;
        CompileFailure failure{
            chip,
            {DiagnosticKind::infeasible,
             std::format("chip {} needs {} of parameters and {} of activations, it has {}", chip, sluice::to_text(terms.parameters),
                         sluice::to_text(terms.peak), sluice::to_text(device.fast_memory)),
             {},
             {},
             {}},
            {}};
        // Another chip might hold these nodes where less passes through it.
        if (passing[chip].count == 0) failure.nodes = std::move(nodes[chip]);
        return failure;
    }
    return std::nullopt;
}

Result<Verdict> FittingJudge::judge(std::span<const std::uint8_t> assignment) {
    if (auto failure = beyond_memory(problem_, assignment))
        return Verdict{.failure = std::move(failure), .period = {}, .latency = {}, .chip_times = {}};
    return judge_->judge(assignment);
}

}  // namespace sluice::mcm
