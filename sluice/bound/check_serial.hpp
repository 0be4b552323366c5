// The checkers' own serial problem (docs/formats/certificate.md, "The serial problem"): from a StageProblem and a witness's terms, with
// every merge proved again in sequence, from the definitions, and nothing of search/. What it proves: a partition of the StageProblem with
// every stage at most r T on r devices is one of this problem (after the merges: some partition is) with every stage at most scale r T.
// O((n + m) largest group) time.
#pragma once

#include <span>
#include <vector>

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/check_terms.hpp"

namespace sluice::bound {

struct CheckedSerial {
    std::int64_t devices = 0, replicas = 1;
    std::int64_t scale = 1, charged_work = 1;  // of SerialTerms
    // Groups, by ascending first nodes; the numbers say nothing of the order
    std::vector<std::vector<std::uint32_t>> members;  // nodes, ascending
    std::vector<std::uint32_t> group_of;              // per node
    std::vector<std::int64_t> work;
    std::vector<std::vector<std::uint32_t>> predecessors, successors;  // distinct, ascending
    // Tensors that some other group reads and that cost something
    struct Tensor {
        std::uint32_t producer = 0;
        std::vector<std::uint32_t> consumers;  // other groups, distinct, ascending
        std::int64_t transfer = 0;
    };
    std::vector<Tensor> tensors;
    // spill(S) >= charged_work (parameters(S) - memory) / rate, when it spills
    std::optional<SpillFloor> floor;
    std::vector<std::int64_t> weight_bytes;
    std::vector<std::vector<std::uint32_t>> weights;  // per group, distinct, ascending: all that it uses
    std::vector<std::int64_t> charged_bytes;          // per group: each weight counts for the first group, by number, that uses it

    [[nodiscard]] std::size_t group_count() const { return work.size(); }
};

/// Fails with an objection when the terms prove nothing: weights that exceed the cost, a merge that is not safe, numbers too large.
[[nodiscard]] Result<CheckedSerial> check_serial(const Claim& claim, const SerialTerms& terms);

/// The groups in the order that lists their first nodes. Fails when it is no topological order of all groups.
[[nodiscard]] Result<std::vector<std::uint32_t>> check_order(const CheckedSerial& serial, std::span<const NodeId> order);

/// Theta of the spill as a charge on work: factor f(S) >= sum of work over S + factor (in + out) - allowance. Shares round down and the
/// allowance up.
struct CheckedCharge {
    std::int64_t factor = 1;
    CheckedWide allowance = 0;
    std::vector<std::int64_t> work;  // per group, in 1/factor, its share of the spill included
};
/// Fails when theta_halves is not 0 to 2, is charged where some class never spills, or makes sums too large.
[[nodiscard]] Result<CheckedCharge> check_charge(const CheckedSerial& serial, std::int64_t theta_halves);

}  // namespace sluice::bound
