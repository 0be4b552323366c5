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

/// A chip without a hard limit, or a problem that lifts it, holds anything.
bool is_limited(const ChipProblem& problem) {
    return problem.costs->classes.front().overflow == cost::Overflow::hard && problem.sram.has_value();
}

std::optional<Diagnostic> beyond_any_chip(const ChipProblem& problem) {
    if (!is_limited(problem)) return std::nullopt;
    const cost::DeviceCosts& device = problem.costs->classes.front();
    cost::IncrementalStage alone(*problem.costs, ClassId(0));
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        alone.clear();
        alone.add(NodeId(v));
        const cost::StageTerms& terms = alone.terms();
        if (cost::fits(device, terms)) continue;
        return Diagnostic{
            DiagnosticKind::infeasible,
            std::format("operator '{}' needs {} of memory wherever it lies, a chip has {}: no partition fits", problem.names[v],
                        sluice::to_text(terms.parameters + terms.peak), sluice::to_text(device.fast_memory)),
            {},
            {std::format("{} of parameters, {} of activations", sluice::to_text(terms.parameters), sluice::to_text(terms.peak))},
            "a chip needs more memory for this model (memory=… of the platform), or parameters that may spill (overflow=spill)"};
    }
    return std::nullopt;
}

class FittingJudge final : public Judge {
public:
    FittingJudge(const ChipProblem& problem, std::unique_ptr<Judge> judge) : problem_(problem), judge_(std::move(judge)) {}
    [[nodiscard]] Result<Verdict> judge(std::span<const std::uint8_t> assignment) override {
        if (auto failure = beyond_memory(problem_, assignment))
            return Verdict{.failure = std::move(failure), .period = {}, .latency = {}, .chip_times = {}};
        return judge_->judge(assignment);
    }

private:
    const ChipProblem& problem_;
    std::unique_ptr<Judge> judge_;
};

}  // namespace

std::optional<CompileFailure> beyond_memory(const ChipProblem& problem, std::span<const std::uint8_t> assignment) {
    const cost::StageProblem& costs = *problem.costs;
    const cost::DeviceCosts& device = costs.classes.front();
    if (!is_limited(problem)) return std::nullopt;
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

Result<std::unique_ptr<Judge>> fitting_judge(const ChipProblem& problem, std::unique_ptr<Judge> judge) {
    if (auto hopeless = beyond_any_chip(problem)) return fail(*std::move(hopeless));
    return std::make_unique<FittingJudge>(problem, std::move(judge));
}

}  // namespace sluice::mcm
