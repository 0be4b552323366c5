#include "sluice/mcm/walk.hpp"

#include <format>

namespace sluice::mcm {

Result<std::size_t> Walk::decide(std::size_t step, NodeId node, std::size_t chip) {
    const auto stand = solver_.restrict(node, std::uint64_t{1} << chip);
    if (!stand) return fail(solver_.why());
    steps_.push_back(step);
    const std::size_t next = *stand == steps_.size() ? step + 1 : steps_[*stand];
    steps_.resize(*stand);
    if (counts().backtracks <= limits_.backtracks) return next;
    Diagnostic stopped = solver_.why();
    stopped.kind = DiagnosticKind::stopped;
    stopped.message = std::format("no legal assignment of {} operators to {} chips found: {} decisions were taken back",
                                  solver_.problem().node_count(), solver_.problem().chips, counts().backtracks);
    return fail(std::move(stopped));
}

SolverCounts Walk::counts() const {
    const SolverCounts& now = solver_.counts();
    return {now.decisions - before_.decisions, now.backtracks - before_.backtracks, now.propagations - before_.propagations};
}

Assignment Walk::chips() const {
    Assignment chips(solver_.problem().node_count());
    for (std::size_t v = 0; v < chips.size(); ++v) chips[v] = static_cast<std::uint8_t>(solver_.chip(NodeId(v)));
    return chips;
}

}  // namespace sluice::mcm
