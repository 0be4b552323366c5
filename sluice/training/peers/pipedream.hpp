// PipeDream's planner (Narayanan et al., SOSP 2019, section 3.1; msr-fiddle/pipedream, optimizer_graph_hierarchical.py): linear pipelines
// with replicated stages, planned level by level of the machine hierarchy.
//
// A stage is what one downset of the graph ("antichain state") has more than another. With m replicas a micro-batch takes it
//   (compute + 4 (m - 1) parameters / (m rate)) / m,
// and what crosses its first or last border 2 bytes / (m rate), both directions; the largest of the three counts, and of all stages the
// largest. At the level of nodes, compute is the bottleneck of the stage's own best pipeline over the devices of one node.
// Found exactly, by bisection on the bottleneck: for a given one, fewer devices behind a cut are never worse. Beyond the published planner:
// several model inputs (it follows the descendants of one and plans the rest wrongly), devices may stay unused, replicas share each
// micro-batch as cost/training_partition.hpp has it, gradients may be exchanged once for several micro-batches.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "sluice/training/peers/cuts.hpp"
#include "sluice/training/peers/least_bottleneck.hpp"
#include "sluice/training/registry.hpp"

namespace sluice::training {

struct PipedreamLevel {
    std::int64_t count = 1;  // devices of a node, or nodes
    ByteRate rate{1};
};

/// What a stage may need of a device's memory.
struct PipedreamMemory {
    Bytes limit;
    std::vector<std::int64_t> fixed, each;  // per cut, of everything below
    /// True: fixed + (devices of later stages + 1) each / replicas, which covers 1F1B. False, as published: fixed + ceil(devices of later
    /// stages / replicas) each.
    bool covers = false;
};

struct PipedreamInstance {
    std::vector<std::vector<std::int64_t>> work;     // [replicas - 1][cut]: picoseconds of everything below on one of so many replicas;
                                                     // for no stage more with more of them
    std::vector<std::int64_t> parameters, crossing;  // per cut: bytes below; bytes over it, both directions together
    std::int64_t exchange_every = 1;                 // micro-batches between two exchanges of gradients
    std::vector<PipedreamLevel> levels;              // innermost first, one or two
    std::optional<PipedreamMemory> memory;           // of the outermost level, where it is the only one
};

struct PipedreamStage {
    std::size_t begin = 0, end = 0;  // cuts
    std::int64_t replicas = 1;
    friend bool operator==(const PipedreamStage&, const PipedreamStage&) = default;
};

struct PipedreamPlan {
    std::vector<PipedreamStage> stages;
    Duration bottleneck{0};
};

/// Beyond this many cuts no table of a node's pipelines is made.
inline constexpr std::size_t kPipedreamNodeCuts = 700;

/// O(cuts^2 log) time for one level, O(cuts^3 devices^2) for two.
[[nodiscard]] std::expected<PipedreamPlan, Missed> pipedream_plan(const PipedreamInstance& instance, const Cuts& cuts,
                                                                  const Limits& limits);

/// Bytes over every cut, both directions together.
[[nodiscard]] std::vector<std::int64_t> crossing_bytes(const Cuts& cuts, const std::vector<CutTensor>& tensors);

[[nodiscard]] Result<PlannerResult> plan_by_pipedream(const cost::TrainingProblem& problem, const PlannerOptions& options,
                                                      Observer& observer, const Limits& limits);

}  // namespace sluice::training
