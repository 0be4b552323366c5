// The problem that bounds and exact search work on: stages of serial cost on equal devices (design §3.1, "what holds where"), in
// integers. Any StageProblem relaxes to it: the fastest class for every node, host tensors free, a hard memory without its limit, overlap
// as a weighted sum of its parts; where nothing was relaxed it is the same problem, and `exact` says so.
// Groups of nodes that some optimum keeps together are merged (notes/bounds 2.1, with proof there). Deterministic.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/cost/partition.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::search {

/// How much of each part of the objective a stage is charged, in 1/scale: serial 1, 1, 1; under overlap work + 2 transfer <= scale.
struct Charge {
    std::int64_t scale = 1, work = 1, transfer = 1;
    friend bool operator==(const Charge&, const Charge&) = default;
};

struct SerialProblem {
    using Index = std::uint32_t;  // of a group, a tensor or a weight of this problem

    Charge charge;
    bool exact = false;         // a stage costs here `charge.scale` times what it costs there; else at most that
    std::int64_t devices = 0;   // usable together, at most k
    std::int64_t replicas = 1;  // that may serve one stage
    // Groups, numbered topologically
    Rows<NodeId> members;         // ascending
    std::vector<Index> group_of;  // per node
    std::vector<std::int64_t> work;
    Rows<Index> predecessors, successors;  // distinct, ascending
    // Tensors between groups; those of one producer and the same consumers are one, those that cost nothing are not there
    std::vector<Index> producer;
    Rows<Index> consumers;  // distinct, ascending, at least one
    std::vector<std::int64_t> transfer;
    Rows<Index> inputs, outputs;  // tensors per group
    // Memory: ceil(charge.work * max(0, parameters - memory) / rate) where it spills
    bool spills = false;
    std::int64_t memory = 0;
    ByteRate rate{1};
    std::vector<std::int64_t> weight_bytes;
    Rows<Index> weights;                            // per group, distinct, ascending: all that it uses
    std::vector<std::int64_t> charged_bytes;        // per group: every weight with the first of its users only
    std::vector<std::pair<NodeId, NodeId>> merges;  // made so far, by the first nodes of both groups

    [[nodiscard]] std::size_t group_count() const { return work.size(); }
    [[nodiscard]] std::size_t tensor_count() const { return producer.size(); }
    [[nodiscard]] std::int64_t total_work() const;
};

/// nullopt: nothing can be proven with this charge (sums would leave int64).
[[nodiscard]] std::optional<SerialProblem> relax_to_serial(const cost::StageProblem& problem, std::int64_t stages,
                                                           std::int64_t max_replicas, const Charge& charge = {});
/// The charges worth trying: one for the serial model, several shares for overlap.
[[nodiscard]] std::vector<Charge> charges_for(cost::StageModel model);

/// Safe merges to a fixpoint: a child into its only parent, a parent into its only child, where that cannot cost any stage anything.
/// O(rounds (n + m)).
[[nodiscard]] SerialProblem merge_safely(SerialProblem problem);

/// Heavy-cone-first post-order of the groups (notes/bounds 2.2) from the sinks, or its mirror from the sources.
[[nodiscard]] std::vector<SerialProblem::Index> heavy_cone_order(const SerialProblem& problem, bool mirrored = false);

/// ceil(charge.work * (bytes beyond memory) / rate); 0 unless the problem spills.
[[nodiscard]] std::int64_t spill_time(const SerialProblem& problem, std::int64_t parameters);
/// Cost of a set of groups from the definition.
[[nodiscard]] std::int64_t stage_cost(const SerialProblem& problem, const std::vector<SerialProblem::Index>& stage);

/// Stages of groups as a partition of the nodes, on the first class with devices. Needs stages in topological order.
[[nodiscard]] cost::Partition to_partition(const SerialProblem& problem, const cost::StageProblem& original,
                                           const std::vector<std::vector<SerialProblem::Index>>& stages,
                                           const std::vector<std::int64_t>& replicas);

}  // namespace sluice::search
