#include "sluice/bound/exact_dp.hpp"

#include <algorithm>

#include "sluice/bound/check_groups.hpp"

namespace sluice::bound {

namespace {

using Changes = ExactDpWitness::Changes;

/// Numbers of groups at which membership changes.
Changes changes_of(const graph::NodeSet& nodes, const std::vector<NodeId>& groups) {
    Changes changes;
    bool inside = false;
    for (std::size_t g = 0; g < groups.size(); ++g)
        if (nodes.contains(groups[g].index()) != inside) {
            inside = !inside;
            changes.push_back(static_cast<std::uint32_t>(g));
        }
    return changes;
}

/// Each as its difference to the one before it.
std::vector<Changes> compressed(std::vector<Changes> level) {
    std::ranges::sort(level);
    level.erase(std::ranges::unique(level).begin(), level.end());
    for (std::size_t i = level.size(); i-- > 1;) {
        Changes difference;
        std::ranges::set_symmetric_difference(level[i], level[i - 1], std::back_inserter(difference));
        level[i] = std::move(difference);
    }
    std::erase(level, Changes{});  // the empty set: where the search starts
    return level;
}

}  // namespace

Result<Certificate> certificate_of(const cost::StageProblem& problem, const search::Refutation& refutation) {
    ExactDpWitness witness;
    witness.serial = {.scale = refutation.scale, .work = refutation.work, .transfer = refutation.transfer, .merges = refutation.merges};
    witness.counting = refutation.counting;
    for (const search::ChainTable& table : refutation.completion)
        witness.completion.push_back({table.order, table.theta_halves, table.mirrored});

    std::vector<NodeId> groups;  // one node of each, numbered as the checker does
    if (refutation.completion.empty()) {
        const Limits limits;
        const Claim claim{problem, 1, 1, cost::Objective::throughput, Duration{0}, limits};
        const auto serial = check_serial(claim, witness.serial);
        if (!serial) return fail(serial.error());
        for (std::uint32_t g : lowest_first(*serial)) groups.emplace_back(serial->members[g].front());
    } else {
        groups = refutation.completion.front().order;
    }
    for (const auto& level : refutation.kept) {
        std::vector<Changes> changes;
        changes.reserve(level.size());
        for (const graph::NodeSet& downset : level) changes.push_back(changes_of(downset, groups));
        witness.kept.push_back(compressed(std::move(changes)));
    }
    return Certificate{.problem = problem.fingerprint,
                       .model = {},
                       .stages = refutation.stages,
                       .max_replicas = refutation.max_replicas,
                       .value = refutation.threshold + Duration{1},
                       .witness = std::move(witness)};
}

}  // namespace sluice::bound
