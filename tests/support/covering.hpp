// Covering weights without a prover.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/check_terms.hpp"

namespace sluice::test {

/// Each node weighs its work in stages of the largest T that all work does not fit in: whatever transfers cost, no stage on r devices of
/// cost at most r T weighs more than r, and all together weigh more than there are devices. So the bound is that of all work, shared.
/// nullopt: it is below 2.
inline std::optional<bound::Certificate> share_of_work(const cost::StageProblem& problem, std::int64_t stages, std::int64_t max_replicas) {
    const std::int64_t devices = bound::devices_of(problem, stages);
    std::int64_t total = 0;
    for (std::size_t v = 0; v < problem.node_count(); ++v) total += bound::least_work(problem, v).value_or(0);
    const std::int64_t value = (total + devices - 1) / devices;
    if (value < 2) return std::nullopt;
    bound::CoveringWitness witness{.serial = {}, .order = {}, .weights = {}, .uncharged = {}, .labels = bound::kMostCoveringLabels};
    if (problem.model == cost::StageModel::overlap) witness.serial.transfer = 0;
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        witness.order.emplace_back(v);
        witness.weights.push_back((bound::least_work(problem, v).value_or(0) << 32) / (value - 1));
    }
    return bound::Certificate{.problem = problem.fingerprint,
                              .model = {},
                              .stages = stages,
                              .max_replicas = max_replicas,
                              .value = Duration{value},
                              .witness = std::move(witness)};
}

}  // namespace sluice::test
